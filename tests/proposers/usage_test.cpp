#include "evoke/proposers/parameters/usage.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/proposers/kernels.h"

namespace evoke::parameters {
namespace {

namespace fs = std::filesystem;

Names parameters_of(const KernelSource& kernel, std::size_t variant) {
  const Names in_use = names_in_use(kernel)[variant];
  Names found;
  for (const Parameter& parameter : kernel.plan().parameters) {
    if (in_use.contains(parameter.name)) found.insert(parameter.name);
  }
  return found;
}

TEST(Usage, NamesOfLaunchesAndOfTheCodeThatTheyReach) {
  const KernelSource kernel = kernels::parsed(kernels::kSplit);
  // splits by way of [derive] and of code, width by way of kStep.
  EXPECT_EQ(parameters_of(kernel, 0), (Names{"splits", "tile_kv", "width"}));
  EXPECT_EQ(parameters_of(kernel, 1), (Names{"tile_kv", "width"}));
  EXPECT_EQ(names_in_plan(kernel.plan(), kernel.plan().variants[0]),
            (Names{"B", "D", "Hq", "Lk", "Lq", "rounds", "splits"}));
}

TEST(Usage, WithoutUnderstandingEveryNameInTheCodeCounts) {
  std::string text(kernels::kSplit);
  text.replace(text.find("struct Row"), 0, "using namespace nothing;\n");
  EXPECT_EQ(parameters_of(kernels::parsed(text), 1),
            (Names{"splits", "tile_kv", "width"}));
}

TEST(Usage, TheCompositesHalvesHaveTheirOwnParameters) {
  const fs::path path =
      fs::path(EVOKE_KERNELS_FOLDER) / "attention/cuda/composite.cu";
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  const auto kernel =
      KernelSource::parse(text.str(), Dialect::cuda, path.string());
  ASSERT_TRUE(kernel.has_value()) << kernel.error().message;
  for (std::size_t v = 0; v < kernel->plan().variants.size(); ++v) {
    const std::string& name = kernel->plan().variants[v].name;
    const Names used = parameters_of(*kernel, v);
    const bool decode = name.starts_with("decode");
    EXPECT_EQ(used.contains("warps"), decode) << name;
    EXPECT_EQ(used.contains("cluster_size"), decode) << name;
    EXPECT_EQ(used.contains("tile_kv"), !decode) << name;
    EXPECT_EQ(used.contains("consumers"), !decode) << name;
    EXPECT_TRUE(used.contains("promotion")) << "of both halves' tensor maps";
  }
}

}  // namespace
}  // namespace evoke::parameters
