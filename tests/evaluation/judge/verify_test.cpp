#include "evoke/evaluation/judge/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"

namespace evoke::judge {
namespace {

using testing::HasSubstr;

class VerifyTest : public ::testing::Test {
 protected:
  VerifyOptions quick() {
    VerifyOptions options;
    options.gate.scratch_repeats = 2;
    options.gate.call_timeout_ms = 20'000;
    return options;
  }
  VerifyReport check(const std::string& text, const VerifyOptions& options,
                     const Workload& workload = test::small_workload()) {
    return test::value_of(verify(test::Court::shared().bench(), text,
                                 "kernel.cpp", workload, options));
  }
  static int failures(const VerifyReport& report) {
    int failures = 0;
    for (const CaseResult& each : report.cases) failures += !!each.failure;
    return failures;
  }
};

TEST_F(VerifyTest, AnHonestKernelIsRight) {
  int calls = 0;
  VerifyOptions options = quick();
  options.progress = [&](const CaseResult& result, int done, int all) {
    EXPECT_EQ(done, ++calls);
    EXPECT_GE(all, done);
    EXPECT_FALSE(result.label.empty());
  };
  const VerifyReport report = check(test::honest_kernel(), options);
  EXPECT_TRUE(report.right());
  EXPECT_FALSE(report.refusal);
  EXPECT_TRUE(report.shapes_left_out.empty());
  EXPECT_GT(report.cases.size(), 30U);
  EXPECT_EQ(calls, static_cast<int>(report.cases.size()));
}

TEST_F(VerifyTest, GoesOnAfterACrashAndAHang) {
  test::KernelOptions options;
  options.when = test::kSmall;
  options.after =
      "  volatile int forever = 1;\n"
      "  if (Lk == 33) out[0] = k[int64_t{1} << 44];\n"
      "  if (Lk == 127) while (forever) {\n  }\n"
      "  if (Lk == 65) out[0] = 1e6f;\n";
  VerifyOptions impatient = quick();
  impatient.gate.call_timeout_ms = 1'000;
  const VerifyReport report = check(test::make_kernel(options), impatient);
  EXPECT_FALSE(report.right());
  int crashed = 0;
  int hung = 0;
  int wrong = 0;
  int right = 0;
  for (const CaseResult& each : report.cases) {
    const std::string& label = each.label;
    if (label.starts_with("decode-33-")) {
      EXPECT_EQ(each.failure, OutcomeKind::crashed) << label;
      ++crashed;
    } else if (label.starts_with("decode-127-")) {
      EXPECT_EQ(each.failure, OutcomeKind::timed_out) << label;
      ++hung;
    } else if (label.starts_with("decode-65-")) {
      EXPECT_EQ(each.failure, OutcomeKind::incorrect) << label;
      ++wrong;
    } else {
      EXPECT_FALSE(each.failure) << label << ": " << each.message;
      ++right;
    }
  }
  EXPECT_GE(crashed, 1);
  EXPECT_GE(hung, 1);
  EXPECT_GE(wrong, 1);
  EXPECT_GT(right, 20);
}

TEST_F(VerifyTest, NamesTheShapesThatItTakesNone) {
  const Workload workload = test::small_workload({256, 4096});
  const VerifyReport report = check(test::honest_kernel(), quick(), workload);
  EXPECT_TRUE(report.right());
  ASSERT_EQ(report.shapes_left_out.size(), 1U);
  EXPECT_EQ(report.shapes_left_out[0], workload.shapes[1].shape.name);
}

// Right about nothing is not right.
TEST_F(VerifyTest, AKernelThatTakesNoShapeIsNotRight) {
  const VerifyReport report =
      check(test::honest_kernel(), quick(), test::small_workload({4096}));
  EXPECT_EQ(report.shapes_left_out.size(), 1U);
  EXPECT_FALSE(report.right());
}

TEST_F(VerifyTest, SaysWhyNothingWasRun) {
  const VerifyReport nonsense = check("nonsense", quick());
  ASSERT_TRUE(nonsense.refusal);
  EXPECT_EQ(nonsense.refusal->kind, OutcomeKind::rejected_plan);
  EXPECT_THAT(nonsense.refusal->message, HasSubstr("kernel.cpp"));
  EXPECT_FALSE(nonsense.right());
  test::KernelOptions options;
  options.when = test::kSmall;
  options.before = "  undeclared();";
  const VerifyReport broken = check(test::make_kernel(options), quick());
  ASSERT_TRUE(broken.refusal);
  EXPECT_EQ(broken.refusal->kind, OutcomeKind::compile_failed);
  EXPECT_TRUE(broken.cases.empty());
}

TEST_F(VerifyTest, StopsWhenAsked) {
  VerifyOptions options = quick();
  int done = 0;
  options.progress = [&](const CaseResult&, int, int) { ++done; };
  options.stop = [&] { return done == 3; };
  const VerifyReport report = check(test::honest_kernel(), options);
  EXPECT_EQ(report.cases.size(), 3U);
}

TEST_F(VerifyTest, ASmallerListIsASmallerList) {
  VerifyOptions options = quick();
  options.level = GateLevel::screen;
  const auto screen = check(test::honest_kernel(), options).cases.size();
  options.level = GateLevel::gate;
  const auto gate = check(test::honest_kernel(), options).cases.size();
  EXPECT_GE(screen, 1U);
  EXPECT_GT(gate, screen);
}

}  // namespace
}  // namespace evoke::judge
