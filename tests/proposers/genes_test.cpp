#include "evoke/proposers/parameters/genes.h"

#include <gtest/gtest.h>

#include "tests/proposers/kernels.h"

namespace evoke::parameters {
namespace {

using kernels::kSplit;
using kernels::parsed;

TEST(Genes, AreTheParametersWithAChoiceAndTheirOverrides) {
  const KernelPlan plan = parsed(kSplit).plan();
  const auto genes = genes_of(plan);
  ASSERT_EQ(genes.size(), 3u);  // splits, tile_kv, decode's tile_kv
  EXPECT_EQ(plan.parameters[genes[0].parameter].name, "splits");
  EXPECT_EQ(genes[0].variant, Gene::kGlobal);
  EXPECT_EQ(genes[2].variant, 0u);
  EXPECT_EQ(value_of(plan, genes[1]), 64);
  EXPECT_EQ(value_of(plan, genes[2]), 128);
  EXPECT_EQ(choices_of(plan, genes[2]), (std::vector<int64_t>{32, 64, 128}));
}

TEST(Genes, ValuesGoWhereTheGeneIs) {
  KernelPlan plan = parsed(kSplit).plan();
  const auto genes = genes_of(plan);
  set_value(plan, genes[2], 32);
  const Parameter& tile = *plan.find_parameter("tile_kv");
  EXPECT_EQ(effective_value(plan, 0, tile), 32);
  EXPECT_EQ(effective_value(plan, 1, tile), 64);
  set_value(plan, genes[1], 128);
  EXPECT_EQ(effective_value(plan, 0, tile), 32);
  EXPECT_EQ(effective_value(plan, 1, tile), 128);
  set_effective_value(plan, 0, tile, 128);
  EXPECT_TRUE(plan.variants[0].parameters.empty());
}

TEST(Genes, NormalisedPlansDoNotRepeatThemselves) {
  KernelPlan plan = parsed(kSplit).plan();
  plan.variants[1].parameters["splits"] = 4;
  plan.variants[1].parameters["tile_kv"] = 32;
  plan = normalised(std::move(plan));
  EXPECT_FALSE(plan.variants[1].parameters.contains("splits"));
  EXPECT_TRUE(plan.variants[1].parameters.contains("tile_kv"));
  EXPECT_TRUE(plan.variants[0].parameters.contains("tile_kv"));
}

TEST(Genes, ConstraintsAreCheckedPerVariantAsFarAsNamesAreKnown) {
  KernelPlan plan = parsed(kSplit).plan();
  EXPECT_TRUE(constraints_hold(plan, {}));
  plan.parameters[0].value = 8;  // splits * decode's 128 > 512
  EXPECT_FALSE(constraints_hold(plan, {}));
  plan.variants[0].parameters.clear();  // now 8 * 64 <= 512
  EXPECT_TRUE(constraints_hold(plan, {}));
  EXPECT_TRUE(constraints_hold(plan, {{{"D", 128}}}));
  EXPECT_FALSE(constraints_hold(plan, {{{"D", 128}}, {{"D", 384}}}));
  EXPECT_FALSE(constraints_hold(plan, {{{"D", 0}}})) << "division by zero";
}

TEST(Genes, ChangesAreDescribedInWords) {
  const KernelPlan before = parsed(kSplit).plan();
  EXPECT_EQ(describe_change(before, before), "");
  KernelPlan after = before;
  after.parameters[0].value = 2;
  after.variants[0].parameters["tile_kv"] = 32;
  after.variants[1].parameters["splits"] = 1;
  EXPECT_EQ(describe_change(before, after),
            "splits 4 -> 2; decode: tile_kv 128 -> 32; any: splits 4 -> 1");
  after = before;
  after.variants.pop_back();
  EXPECT_EQ(describe_change(before, after), "without variant any");
}

}  // namespace
}  // namespace evoke::parameters
