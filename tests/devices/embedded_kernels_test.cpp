#include "evoke/devices/embedded_kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/base/fd.h"

namespace evoke {
namespace {

TEST(EmbeddedKernels, AreTheFilesOfTheTree) {
  const auto kernels = embedded_kernels(Dialect::cpu);
  ASSERT_EQ(kernels.size(), 4u);
  EXPECT_EQ(kernels[0].path, "attention/cpu/composite.cpp");
  for (const EmbeddedKernel& kernel : kernels) {
    const auto file = read_file(std::string(EVOKE_KERNELS_FOLDER) + "/" +
                                std::string(kernel.path));
    ASSERT_TRUE(file) << kernel.path;
    EXPECT_EQ(*file, kernel.text) << kernel.path;
  }
  EXPECT_TRUE(embedded_kernels(Dialect::cuda).empty());
  EXPECT_TRUE(embedded_kernels(Dialect::metal).empty());
}

TEST(EmbeddedKernels, AreKernelFilesInOrder) {
  for (const EmbeddedKernel& embedded : embedded_kernels(Dialect::cpu)) {
    const auto kernel = KernelSource::parse(embedded.text, Dialect::cpu,
                                            std::string(embedded.path));
    ASSERT_TRUE(kernel) << kernel.error().message;
    EXPECT_EQ(kernel->text(), embedded.text) << "not in normal form";
    const auto allowed = check_forbidden_text(*kernel);
    EXPECT_TRUE(allowed) << allowed.error().message;
    EXPECT_THAT(embedded.text, ::testing::HasSubstr("EVOLVE-BLOCK-START"));
  }
}

}  // namespace
}  // namespace evoke
