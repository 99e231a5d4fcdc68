#include "evoke/proposers/parameters/crossover.h"

#include <gtest/gtest.h>

#include "evoke/proposers/parameters/genes.h"
#include "evoke/proposers/parameters/merge.h"
#include "tests/proposers/kernels.h"

namespace evoke::parameters {
namespace {

using kernels::kSplit;
using kernels::kTiled;
using kernels::parsed;

KernelSource with_values(int64_t splits, int64_t tile, int64_t decode_tile) {
  const KernelSource kernel = parsed(kSplit);
  KernelPlan plan = kernel.plan();
  plan.parameters[0].value = splits;
  plan.parameters[1].value = tile;
  plan.variants[0].parameters["tile_kv"] = decode_tile;
  return kernel.with_plan(plan).value();
}

TEST(Recombine, EveryGeneComesFromOneOfTheTwo) {
  const KernelPlan parent = with_values(1, 32, 32).plan();
  const KernelPlan mate = with_values(4, 128, 128).plan();
  Rng rng(1);
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const auto child = recombined(parent, mate, rng);
    ASSERT_TRUE(child.has_value());
    const int64_t splits = child->parameters[0].value;
    const int64_t tile = child->parameters[1].value;
    const int64_t decode = child->variants[0].parameters.at("tile_kv");
    EXPECT_TRUE(splits == 1 || splits == 4);
    EXPECT_TRUE(tile == 32 || tile == 128);
    EXPECT_TRUE(decode == 32 || decode == 128);
    seen.insert(format_plan(*child));
  }
  EXPECT_EQ(seen.size(), 8u) << "all combinations come up";
}

TEST(Recombine, RefusesPlansThatDoNotFit) {
  Rng rng(1);
  EXPECT_FALSE(recombined(parsed(kSplit).plan(), parsed(kTiled).plan(), rng));
}

TEST(VariantCrossover, OfTheSameCodeTakesTheVariantsValues) {
  const KernelSource parent = with_values(1, 32, 64);
  const KernelSource mate = with_values(4, 128, 32);
  for (std::size_t taken = 0; taken < 2; ++taken) {
    const auto crossed = cross_variants(parent, mate, taken);
    ASSERT_TRUE(crossed.has_value());
    EXPECT_EQ(crossed->code, parent.code());
    const KernelPlan& plan = crossed->plan;
    for (std::size_t v = 0; v < 2; ++v) {
      const KernelPlan& source = v == taken ? mate.plan() : parent.plan();
      for (const Parameter& parameter : plan.parameters) {
        EXPECT_EQ(
            effective_value(plan, v, parameter),
            effective_value(source, v, *source.find_parameter(parameter.name)))
            << parameter.name << " in " << plan.variants[v].name;
      }
    }
    EXPECT_TRUE(parent.with_plan(plan).has_value());
  }
}

TEST(VariantCrossover, OfOtherCodeBringsKernelsAndHelpersUnderNewNames) {
  // A variant for every shape takes the place of the parent's last one.
  const KernelSource parent = parsed(kSplit);
  const auto crossed = cross_variants(parent, parsed(kTiled), 0);
  ASSERT_TRUE(crossed.has_value());
  const KernelPlan& plan = crossed->plan;
  ASSERT_EQ(plan.variants.size(), 2u);
  EXPECT_EQ(plan.variants[0], parent.plan().variants[0]);
  const Launch& launch = plan.variants[1].launches[0];
  EXPECT_EQ(launch.kernel, "attend");
  EXPECT_EQ(launch.dynamic_memory.text(), "tile_q * tile_kv_b * 4");
  EXPECT_EQ(plan.find_parameter("tile_kv_b")->choices,
            (std::vector<int64_t>{48, 96}));
  EXPECT_EQ(plan.find_parameter("tile_kv")->value, 64);
  EXPECT_NE(plan.find_parameter("tile_q"), nullptr) << "free: same name";
  const std::string& code = crossed->code;
  EXPECT_NE(code.find("inline float dot(const Row& row"), code.npos);
  EXPECT_NE(code.find("inline float dot_b(const float* x)"), code.npos);
  EXPECT_NE(code.find("x[n] * tile_kv_b"), code.npos);
  EXPECT_NE(code.find("static_assert(tile_kv_b % tile_q == 0)"), code.npos);
  EXPECT_NE(code.find("// dot and tile_kv in a comment"), code.npos);
  EXPECT_LT(code.find("dot_b"), code.find("EVOLVE-BLOCK-END"));
  // It is a kernel file, and differs from the parent where it may.
  const auto child = parsed(kSplit).with_plan(plan);
  EXPECT_FALSE(child.has_value()) << "the old code lacks the new kernel";
}

TEST(VariantCrossover, AVariantForSomeShapesGoesInFront) {
  const KernelSource parent = parsed(kTiled);
  const auto crossed = cross_variants(parent, parsed(kSplit), 0);
  ASSERT_TRUE(crossed.has_value());
  ASSERT_EQ(crossed->plan.variants.size(), 2u);
  EXPECT_EQ(crossed->plan.variants[0].name, "decode");
  EXPECT_EQ(crossed->plan.variants[0].when.text(), "Lq == 1 && Lk >= 256");
  // Its own values became those of its renamed parameters.
  EXPECT_TRUE(crossed->plan.variants[0].parameters.empty());
  EXPECT_EQ(crossed->plan.find_parameter("tile_kv_b")->value, 128);
  EXPECT_EQ(crossed->plan.find_parameter("tile_kv")->value, 96);
  EXPECT_EQ(crossed->code.find("one_pass"), std::string::npos)
      << "kernels of other variants stay behind";
  EXPECT_NE(crossed->code.find("partial[partial_strides[0]]"),
            std::string::npos)
      << "no collision, no new name";
  EXPECT_FALSE(cross_variants(parent, parsed(kSplit), 1).has_value())
      << "`any` for the only variant would be the mate itself";
}

TEST(VariantCrossover, RenamedTensorsKeepTheirShapesAndStrides) {
  std::string text(kSplit);
  text.replace(text.find("KERNEL(decode_partial)"), 22,
               "KERNEL(decode_begins)");
  text.replace(text.find("\"decode_partial\""), 16, "\"decode_begins\"");
  const auto crossed = merged(parsed(kSplit), parsed(text), 0, 0);
  ASSERT_TRUE(crossed.has_value());
  EXPECT_NE(crossed->code.find("partial_b[partial_b_strides[0]]"),
            std::string::npos);
  EXPECT_EQ(crossed->plan.variants[0].launches[0].writes[0], "partial_b");
}

TEST(Merge, RefusesOtherFixedTextAndCodeItDoesNotUnderstand) {
  std::string fixed(kTiled);
  fixed.insert(fixed.find("// EVOLVE-BLOCK-START"), "inline int x() {}\n");
  EXPECT_FALSE(merged(parsed(kSplit), parsed(fixed), 0, 1).has_value());
  std::string macro(kTiled);
  macro.insert(macro.find("static_assert"), "#define X 1\n");
  EXPECT_FALSE(merged(parsed(kSplit), parsed(macro), 0, 1).has_value());
  EXPECT_TRUE(merged(parsed(kSplit), parsed(kTiled), 0, 1).has_value());
}

TEST(Merge, RefusesToGrowForEver) {
  std::string large(kTiled);
  std::string filler;
  while (filler.size() < kMaxMergedBytes) {
    filler += "static_assert(true);\n";
  }
  large.insert(large.find("static_assert"), filler);
  EXPECT_FALSE(merged(parsed(kSplit), parsed(large), 0, 1).has_value());
}

}  // namespace
}  // namespace evoke::parameters
