#include "evoke/core/verified_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "evoke/base/fd.h"
#include "tests/core/example_kernel.h"
#include "tests/support/temporary_folder.h"

namespace evoke {
namespace {

using ::testing::HasSubstr;

KernelSource example(const std::string& more = "") {
  auto kernel =
      KernelSource::parse(example_file() + more, Dialect::cpu, "mine.cpp");
  if (!kernel) throw std::runtime_error(kernel.error().message);
  return std::move(*kernel);
}

VerifiedKernel verified(const KernelSource& kernel) {
  VerifiedKernel record;
  record.kernel_hash = kernel.hash();
  record.device = "cpu";
  record.heads = heads_label(16, 8, 128);
  record.limits.num_sms = 3;
  record.compiler_id = "gcc";
  record.gate = "full gate, 12 cases";
  record.units = {{{1, {{"D", 128}, {"causal", 1}}},
                   {std::byte{0x7f}, std::byte{0}, std::byte{0xff}}}};
  return record;
}

class VerifiedKernelTest : public ::testing::Test {
 protected:
  std::string only_file() const {
    for (const auto& each :
         std::filesystem::directory_iterator(folder_.path())) {
      return each.path().string();
    }
    return {};
  }
  std::string refusal(const KernelSource& kernel,
                      const std::string& heads = "16-8-128") const {
    const auto read = read_verified_kernel(folder_.path(), kernel, heads);
    return read ? "" : read.error().message;
  }
  test::TemporaryFolder folder_;
};

TEST_F(VerifiedKernelTest, ComesBackAsItWasWritten) {
  const KernelSource kernel = example();
  const VerifiedKernel record = verified(kernel);
  ASSERT_TRUE(write_verified_kernel(folder_.path(), record));
  const auto read = read_verified_kernel(folder_.path(), kernel, "16-8-128");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->limits.num_sms, 3);
  EXPECT_EQ(read->gate, record.gate);
  EXPECT_EQ(read->compiler_id, record.compiler_id);
  ASSERT_EQ(read->units.size(), 1U);
  EXPECT_EQ(read->units[0].unit, record.units[0].unit);
  EXPECT_EQ(read->units[0].artifact, record.units[0].artifact);
  EXPECT_NE(read->find(record.units[0].unit), nullptr);
  EXPECT_EQ(read->find({0, {}}), nullptr);
}

TEST_F(VerifiedKernelTest, AnotherTextHasNoRecord) {
  ASSERT_TRUE(write_verified_kernel(folder_.path(), verified(example())));
  EXPECT_THAT(refusal(example("// one more line\n")),
              HasSubstr("run: evoke verify mine.cpp --heads 16-8-128"));
  EXPECT_THAT(refusal(example(), "4-2-64"), HasSubstr("for heads 4-2-64"));
  EXPECT_EQ(refusal(example()), "");
}

TEST_F(VerifiedKernelTest, ARenamedRecordIsNone) {
  const KernelSource other = example("// another\n");
  ASSERT_TRUE(write_verified_kernel(folder_.path(), verified(example())));
  const std::string from = only_file();
  std::string to = from;
  to.replace(to.find(example().hash()), other.hash().size(), other.hash());
  std::filesystem::rename(from, to);
  EXPECT_NE(refusal(other), "");
}

TEST_F(VerifiedKernelTest, DamageMakesItAbsent) {
  ASSERT_TRUE(write_verified_kernel(folder_.path(), verified(example())));
  const std::string path = only_file();
  const auto whole = read_file(path);
  ASSERT_TRUE(whole);
  for (std::size_t length = 0; length < whole->size(); ++length) {
    std::ofstream(path, std::ios::binary) << whole->substr(0, length);
    ASSERT_NE(refusal(example()), "") << length;
    std::string flipped = *whole;
    flipped[length] = static_cast<char>(flipped[length] ^ 4);
    std::ofstream(path, std::ios::binary) << flipped;
    ASSERT_NE(refusal(example()), "") << length;
  }
  std::ofstream(path, std::ios::binary) << *whole;
  EXPECT_EQ(refusal(example()), "");
}

}  // namespace
}  // namespace evoke
