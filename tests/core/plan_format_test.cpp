#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/base/rng.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/plan_parser.h"
#include "tests/core/example_kernel.h"

namespace evoke {
namespace {

using testing::HasSubstr;
using testing::Not;

KernelPlan plan_of(std::string_view toml) {
  auto parsed = parse_plan(toml, 1, Dialect::cpu, "k.cpp");
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return parsed->plan;
}

TEST(PlanFormat, ReadsBackAsTheSamePlan) {
  const KernelPlan plan = plan_of(kExamplePlan);
  const std::string text = format_plan(plan);
  EXPECT_EQ(plan_of(text), plan) << text;
  EXPECT_EQ(format_plan(plan_of(text)), text);
}

TEST(PlanFormat, IsCanonical) {
  EXPECT_EQ(format_plan(plan_of(R"(
problem = 'p'
variant = [ { name = "v", launch = [ { threadgroups = ["  Lq "], writes = ["output"], kernel = "k" } ] } ]
parameters = { tile = 8, wide = { choices = [ 1, 2 ], value = 0x2 } }
)")),
            R"(problem = "p"

[parameters]
tile = { value = 8, choices = [8] }
wide = { value = 2, choices = [1, 2] }

[[variant]]
name = "v"
when = 1
[[variant.launch]]
kernel = "k"
reads = []
writes = ["output"]
threadgroups = ["Lq", 1, 1]
threads = [1, 1, 1]
)");
}

TEST(PlanFormat, NoTextCanEndTheComment) {
  KernelPlan plan = plan_of(kExamplePlan);
  plan.summary = "a */ b evoke*/ \"quoted\" back\\slash \xe2\x82\xac **// */*/";
  const std::string text = format_plan(plan);
  EXPECT_THAT(text, Not(HasSubstr("*/")));
  EXPECT_EQ(plan_of(text).summary, plan.summary);
  const auto kernel =
      KernelSource::parse(example_file(), Dialect::cpu, "k.cpp");
  const auto changed = kernel->with_plan(plan);
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(changed->plan(), plan);
}

// Plans that no file holds yet, as proposers make them.
KernelPlan random_plan(Rng& rng) {
  KernelPlan plan;
  plan.problem = "attention";
  plan.atomics = rng.chance(0.5);
  for (uint64_t n = rng.below(12); n > 0; --n) {
    plan.summary.push_back(static_cast<char>(0x20 + rng.below(0x5f)));
  }
  const auto expression = [&]() -> Expression {
    const std::vector<std::string> texts{
        "Lk",   "ceil_div(Lq, 8)", "a ? b : c", "-1",
        "Hq*B", "min(1,2)",        "128",       "!x || y"};
    return *Expression::parse(rng.pick(texts));
  };
  for (uint64_t n = rng.below(4); n > 0; --n) {
    Parameter parameter;
    parameter.name = "p" + std::to_string(9 - n);
    for (int64_t i = 0; i <= static_cast<int64_t>(rng.below(3)); ++i) {
      parameter.choices.push_back(i * 7 - 3);
    }
    parameter.value = rng.pick(parameter.choices);
    plan.parameters.push_back(parameter);
  }
  for (uint64_t n = rng.below(3); n > 0; --n) {
    plan.constraints.push_back(expression());
  }
  for (uint64_t n = rng.below(3); n > 0; --n) {
    ScratchTensor scratch;
    scratch.name = "s" + std::to_string(n);
    scratch.type = rng.chance(0.5) ? DType::int32 : DType::bfloat16;
    scratch.shape = {expression(), expression()};
    scratch.init = rng.chance(0.5) ? ScratchInit::zero : ScratchInit::poison;
    scratch.self_reset = rng.chance(0.3);
    plan.scratch.push_back(scratch);
  }
  for (uint64_t n = rng.below(3); n > 0; --n) {
    plan.derived.push_back({"d" + std::to_string(n), expression()});
  }
  for (uint64_t n = 1 + rng.below(3); n > 0; --n) {
    Variant variant;
    variant.name = "v" + std::to_string(n);
    variant.when = expression();
    if (rng.chance(0.5)) variant.parameters = {{"p1", 4}, {"p2", -3}};
    for (uint64_t m = 1 + rng.below(2); m > 0; --m) {
      Launch launch;
      launch.kernel = "k" + std::to_string(m);
      if (rng.chance(0.7)) launch.reads = {"query", "s1"};
      launch.writes = {"output"};
      launch.threadgroups = {expression(), expression(), expression()};
      launch.threads = {expression(), expression(), expression()};
      if (rng.chance(0.5)) launch.dynamic_memory = expression();
      variant.launches.push_back(launch);
    }
    plan.variants.push_back(variant);
  }
  return plan;
}

TEST(PlanFormat, RandomPlansReadBack) {
  Rng rng(5);
  for (int i = 0; i < 500; ++i) {
    const KernelPlan plan = random_plan(rng);
    const std::string text = format_plan(plan);
    ASSERT_EQ(plan_of(text), plan) << text;
    ASSERT_EQ(format_plan(plan_of(text)), text);
  }
}

}  // namespace
}  // namespace evoke
