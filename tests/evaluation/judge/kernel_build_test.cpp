#include "evoke/evaluation/judge/kernel_build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/example_kernel.h"
#include "tests/evaluation/judge/kernels.h"

namespace evoke::judge {
namespace {

using testing::HasSubstr;

const ProblemSignature& signature() {
  static const ProblemSignature one = example_signature();
  return one;
}

std::string refusal(const std::string& text,
                    const std::vector<Shape>& shapes = {example_shape(1, 64)}) {
  const auto build = KernelBuild::plan(text, Dialect::cpu, "k.cpp", signature(),
                                       DeviceLimits{}, shapes);
  return build ? "" : build.error().message;
}

TEST(KernelBuild, PlansEveryShapeNamed) {
  const auto build = KernelBuild::plan(
      test::make_kernel(), Dialect::cpu, "k.cpp", signature(), DeviceLimits{},
      {example_shape(1, 64), example_shape(7, 64)});
  ASSERT_TRUE(build) << build.error().message;
  const auto plan = build->plan_for(example_shape(3, 5));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->launches.at(0).threadgroups[1], 3);
  EXPECT_TRUE(build->units().empty());
  EXPECT_EQ(build->source().path(), "k.cpp");
}

TEST(KernelBuild, RefusesWhatIsNoKernelFile) {
  EXPECT_THAT(refusal(""), HasSubstr("no plan"));
  EXPECT_THAT(refusal("/*evoke\nproblem = 1\nevoke*/\n"), HasSubstr("k.cpp:2"));
}

TEST(KernelBuild, RefusesForbiddenText) {
  test::KernelOptions options;
  options.before = "  asm volatile(\"\");";
  EXPECT_THAT(refusal(test::make_kernel(options)), HasSubstr("asm"));
  options.before = "";
  options.header = "#include <fstream>\n";
  EXPECT_THAT(refusal(test::make_kernel(options)), HasSubstr("fstream"));
}

TEST(KernelBuild, RefusesAnotherProblem) {
  EXPECT_THAT(
      refusal(replaced(test::make_kernel(), "\"attention\"", "\"softmax\"")),
      HasSubstr("softmax"));
}

TEST(KernelBuild, NamesTheShapeThatNoVariantTakes) {
  test::KernelOptions options;
  options.when = "Lq == 1";
  const std::string message = refusal(
      test::make_kernel(options), {example_shape(1, 64), example_shape(5, 64)});
  EXPECT_THAT(message, HasSubstr("q5-kv64"));
}

TEST(KernelBuild, TellsAShapeWithoutVariantFromAPlanThatFails) {
  test::KernelOptions options;
  options.when = "Lk < 100";
  options.plan = "[derive]\npart = \"100 / (Lk - 7)\"\n";
  const auto build =
      KernelBuild::plan(test::make_kernel(options), Dialect::cpu, "k.cpp",
                        signature(), DeviceLimits{}, {});
  ASSERT_TRUE(build) << build.error().message;
  EXPECT_TRUE(build->plan_for(example_shape(1, 64)));
  EXPECT_EQ(build->plan_for(example_shape(1, 100)).error().kind,
            ErrorKind::absent);
  EXPECT_EQ(build->plan_for(example_shape(1, 7)).error().kind,
            ErrorKind::failed);
}

TEST(KernelBuild, RefusesPlansBeyondTheDevice) {
  test::KernelOptions options;
  options.plan =
      "[scratch]\nhuge = { type = \"float32\", shape = [\"1000000000\"] }\n";
  options.writes = R"("output", "huge")";
  EXPECT_THAT(refusal(test::make_kernel(options)), HasSubstr("scratch"));
}

}  // namespace
}  // namespace evoke::judge
