#include "evoke/proposers/parameters/simplify.h"

#include <gtest/gtest.h>

#include "tests/proposers/kernels.h"

namespace evoke::parameters {
namespace {

using kernels::kSplit;
using kernels::parsed;

TEST(Simplify, WhatIsUsedStays) {
  const KernelSource kernel = parsed(kSplit);
  const auto simple = simplified(kernel);
  ASSERT_TRUE(simple.has_value()) << simple.error().message;
  EXPECT_EQ(simple->plan(), kernel.plan());
  EXPECT_EQ(simple->code(), kernel.code());
}

TEST(Simplify, WithoutAVariantGoesWhatOnlyItNeeded) {
  KernelSource kernel = parsed(kSplit);
  KernelPlan plan = kernel.plan();
  plan.variants.erase(plan.variants.begin());  // no decode
  kernel = kernel.with_plan(plan).value();
  const auto simple = simplified(kernel);
  ASSERT_TRUE(simple.has_value()) << simple.error().message;
  EXPECT_TRUE(simple->plan().scratch.empty());
  EXPECT_TRUE(simple->plan().derived.empty());
  // Constraints speak of it.
  EXPECT_NE(simple->plan().find_parameter("splits"), nullptr);
  const std::string code(simple->code());
  EXPECT_EQ(code.find("KERNEL(decode_partial)"), code.npos);
  EXPECT_EQ(code.find("KERNEL(decode_combine)"), code.npos);
  EXPECT_NE(code.find("inline float dot"), code.npos) << "one_pass needs it";
  EXPECT_NE(code.find("EVOLVE-BLOCK-END"), code.npos);
}

TEST(Simplify, HelpersOfRemovedKernelsGoToo) {
  KernelSource kernel = parsed(kSplit);
  KernelPlan plan = kernel.plan();
  plan.variants.erase(plan.variants.begin() + 1);  // no one_pass
  kernel = kernel.with_plan(plan).value();
  const auto simple = simplified(kernel);
  ASSERT_TRUE(simple.has_value()) << simple.error().message;
  EXPECT_EQ(simple->code().find("only_one_pass"), std::string_view::npos);
  EXPECT_NE(simple->code().find("KERNEL(decode_combine)"),
            std::string_view::npos);
}

TEST(Simplify, VariantsBehindOneThatTakesEverythingGo) {
  KernelPlan plan = parsed(kSplit).plan();
  std::swap(plan.variants[0], plan.variants[1]);
  const KernelPlan simple = simplified_plan(plan, "");
  ASSERT_EQ(simple.variants.size(), 1u);
  EXPECT_EQ(simple.variants[0].name, "any");
}

TEST(Simplify, AParameterNamedAnywhereInCodeStays) {
  KernelPlan plan = parsed(kSplit).plan();
  plan.constraints.clear();
  plan.variants.erase(plan.variants.begin());
  plan.derived.clear();
  EXPECT_EQ(simplified_plan(plan, "int x;").find_parameter("splits"), nullptr);
  EXPECT_NE(simplified_plan(plan, "#define X splits").find_parameter("splits"),
            nullptr);
  EXPECT_EQ(simplified_plan(plan, "int x;").parameters.size(), 0u);
}

TEST(Simplify, FixedTextStays) {
  const std::string_view code =
      "\ninline int fixed() { return 1; }\n// EVOLVE-BLOCK-START\n"
      "inline int spare() { return 2; }\n// EVOLVE-BLOCK-END\n";
  const std::string simple = simplified_code(parsed(kSplit).plan(), code);
  EXPECT_NE(simple.find("fixed"), simple.npos);
  EXPECT_EQ(simple.find("spare"), simple.npos);
}

TEST(Simplify, CodeThatIsNotUnderstoodStaysAsItIs) {
  const std::string_view code = "#define X\ninline int spare() { return 2; }\n";
  EXPECT_EQ(simplified_code(parsed(kSplit).plan(), code), code);
}

}  // namespace
}  // namespace evoke::parameters
