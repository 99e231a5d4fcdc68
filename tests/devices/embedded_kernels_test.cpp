#include "evoke/devices/embedded_kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/base/fd.h"

namespace evoke {
namespace {

struct Seeds {
  Dialect dialect;
  std::size_t count;
  const char* first;
};
constexpr Seeds kSeeds[] = {
    {Dialect::cpu, 4, "attention/cpu/composite.cpp"},
    {Dialect::cuda, 6, "attention/cuda/composite.cu"},
    {Dialect::metal, 5, "attention/metal/composite.metal"}};

TEST(EmbeddedKernels, AreTheFilesOfTheTree) {
  for (const Seeds& expected : kSeeds) {
    const auto kernels = embedded_kernels(expected.dialect);
    ASSERT_EQ(kernels.size(), expected.count);
    EXPECT_EQ(kernels[0].path, expected.first);
    for (const EmbeddedKernel& kernel : kernels) {
      const auto file = read_file(std::string(EVOKE_KERNELS_FOLDER) + "/" +
                                  std::string(kernel.path));
      ASSERT_TRUE(file) << kernel.path;
      EXPECT_EQ(*file, kernel.text) << kernel.path;
    }
  }
}

TEST(EmbeddedKernels, AreKernelFilesInOrder) {
  for (const Seeds& expected : kSeeds) {
    for (const EmbeddedKernel& embedded : embedded_kernels(expected.dialect)) {
      const auto kernel = KernelSource::parse(embedded.text, expected.dialect,
                                              std::string(embedded.path));
      ASSERT_TRUE(kernel) << kernel.error().message;
      EXPECT_EQ(kernel->text(), embedded.text) << "not in normal form";
      const auto allowed = check_forbidden_text(*kernel);
      EXPECT_TRUE(allowed) << allowed.error().message;
      EXPECT_THAT(embedded.text, ::testing::HasSubstr("EVOLVE-BLOCK-START"));
    }
  }
}

TEST(EmbeddedKernels, MutantsAreNoSeeds) {
  for (const Dialect dialect : {Dialect::cpu, Dialect::cuda}) {
    const auto mutants = embedded_mutants(dialect);
    ASSERT_TRUE(mutants);
    const std::string path(mutants->path);
    const auto file = read_file(std::string(EVOKE_KERNELS_FOLDER) + "/" + path);
    ASSERT_TRUE(file) << path;
    EXPECT_EQ(*file, mutants->text);
    const auto kernel = KernelSource::parse(mutants->text, dialect, path);
    ASSERT_TRUE(kernel) << kernel.error().message;
    EXPECT_EQ(kernel->text(), mutants->text) << "not in normal form";
    const auto allowed = check_forbidden_text(*kernel);
    EXPECT_TRUE(allowed) << allowed.error().message;
    for (const EmbeddedKernel& seed : embedded_kernels(dialect)) {
      EXPECT_NE(seed.path, mutants->path);
    }
  }
  EXPECT_FALSE(embedded_mutants(Dialect::metal));
}

}  // namespace
}  // namespace evoke
