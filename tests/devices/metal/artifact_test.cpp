#include "evoke/devices/metal/artifact.h"

#include <gtest/gtest.h>

#include "metal_kernels.h"

namespace evoke::metal {
namespace {

TEST(MetalArtifact, CarriesWhatMetalKernelIsGiven) {
  const auto kernel =
      KernelSource::parse(testing::kTwoLaunches, Dialect::metal, "k.metal");
  ASSERT_TRUE(kernel) << kernel.error().message;
  const auto assembly = assemble(*kernel, testing::metal_signature(),
                                 {0, testing::metal_constants()});
  ASSERT_TRUE(assembly) << assembly.error().message;
  const auto back = from_artifact(to_artifact(*assembly));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->kernels.size(), assembly->kernels.size());
  for (std::size_t i = 0; i < back->kernels.size(); ++i) {
    EXPECT_EQ(back->kernels[i].mlx, assembly->kernels[i].mlx);
    EXPECT_EQ(back->kernels[i].inputs, assembly->kernels[i].inputs);
    EXPECT_EQ(back->kernels[i].outputs, assembly->kernels[i].outputs);
    EXPECT_EQ(back->kernels[i].zero_outputs, assembly->kernels[i].zero_outputs);
    EXPECT_EQ(back->kernels[i].source.text, assembly->kernels[i].source.text);
  }
}

TEST(MetalArtifact, RefusesOtherBytes) {
  const std::string text = R"([{"kernel": "a"}])";
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  EXPECT_FALSE(from_artifact({bytes, text.size()}));
  EXPECT_FALSE(from_artifact({}));
}

}  // namespace
}  // namespace evoke::metal
