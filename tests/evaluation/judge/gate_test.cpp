// The gate with real kernels in real runners, shared memory and not.
#include "evoke/evaluation/judge/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"
#include "tests/support/runner_path.h"

namespace evoke::judge {
namespace {

using testing::HasSubstr;

test::KernelOptions small() {
  test::KernelOptions options;
  options.when = test::kSmall;
  return options;
}

GateCase small_case(const std::string& input = "normal",
                    const std::string& layout = "transposed") {
  return {test::small_workload().shapes[0].shape, input, layout};
}

class GateTest : public ::testing::Test {
 protected:
  test::Court& court() { return test::Court::shared(); }
  void load(const std::string& text) {
    kernel_.reset();
    build_ = court().build(text);
    kernel_ = court().load(*build_);
  }
  CaseResult check(const std::string& text, const GateOptions& options = {},
                   const GateCase& gate_case = small_case()) {
    load(text);
    return check_loaded(options, gate_case);
  }
  CaseResult check_loaded(const GateOptions& options = {},
                          const GateCase& gate_case = small_case()) {
    const auto pooled = court().bench().cases().make_fresh(gate_case);
    if (!pooled) throw std::runtime_error(pooled.error().message);
    Gate gate(*kernel_, options, secret_seed());
    return gate.check(**pooled);
  }
  static void expect(const CaseResult& result, OutcomeKind kind,
                     const std::string& message) {
    ASSERT_TRUE(result.failure) << "it passed";
    EXPECT_EQ(*result.failure, kind)
        << to_string(*result.failure) << ": " << result.message;
    EXPECT_THAT(result.message, HasSubstr(message));
    EXPECT_THAT(result.message, HasSubstr(result.label));
  }
  std::unique_ptr<KernelBuild> build_;
  std::unique_ptr<LoadedKernel> kernel_;
};

TEST_F(GateTest, PassesAnHonestKernel) {
  load(test::honest_kernel());
  for (const char* layout : {"contiguous", "cache", "transposed"}) {
    GateOptions options;
    options.verify_inputs = true;
    options.scratch_repeats = 3;
    const CaseResult result =
        check_loaded(options, small_case("blend", layout));
    EXPECT_FALSE(result.failure) << result.message;
    EXPECT_TRUE(result.message.empty());
    EXPECT_EQ(result.report.verdict, CheckVerdict::right);
    EXPECT_LT(result.report.row_ratio, 1);
    EXPECT_THAT(result.label, HasSubstr(layout));
  }
}

TEST_F(GateTest, OneGateChecksManyCases) {
  load(test::honest_kernel());
  Gate gate(*kernel_, {}, 1);
  for (int i = 0; i < 20; ++i) {
    const auto pooled = court().bench().cases().make_fresh(small_case());
    const CaseResult result = gate.check(**pooled);
    ASSERT_FALSE(result.failure) << result.message;
  }
}

TEST_F(GateTest, TakesTheMemoryThatACaseNeeds) {
  const auto bytes = [&](const std::string& text) {
    load(text);
    DeviceMemory memory(int64_t{1} << 40);
    int64_t taken = 0;
    {
      Gate gate(*kernel_, {}, 1, &memory, [] { return false; });
      // The larger case needs all anew, and the small one after it nothing.
      auto larger = small_case();
      larger.shape = test::small_workload().shapes.back().shape;
      for (const GateCase& each : {small_case(), larger, small_case()}) {
        const auto pooled = court().bench().cases().make_fresh(each);
        const CaseResult result = gate.check(**pooled);
        EXPECT_FALSE(result.failure) << result.message;
        // Of itself, and at three addresses at most its inputs.
        EXPECT_GT(memory.taken_bytes(), 3 * (*pooled)->inputs->size());
        EXPECT_GE(memory.taken_bytes(), taken);
        if (taken == 0) taken = memory.taken_bytes();
      }
    }
    EXPECT_EQ(memory.taken_bytes(), 0);
    return taken;
  };
  auto options = small();
  const int64_t plain = bytes(test::make_kernel(options));
  options.plan =
      "[scratch]\nspare = { type = \"float32\", shape = [\"1000000\"] }\n";
  options.writes = R"("output", "spare")";
  // Two bindings, and half as much more for what grows.
  EXPECT_NEAR(static_cast<double>(bytes(test::make_kernel(options)) - plain),
              12e6, 1e5);
}

TEST_F(GateTest, ADroppedKeyIsIncorrect) {
  auto options = small();
  options.keys = "visible - 1";
  expect(check(test::make_kernel(options), {}, small_case("needle")),
         OutcomeKind::incorrect, "");
}

TEST_F(GateTest, NaNIsIncorrect) {
  auto options = small();
  options.result = "d == 7 ? NAN : acc[d]";
  expect(check(test::make_kernel(options)), OutcomeKind::incorrect, "");
}

TEST_F(GateTest, ARowThatWasNotWrittenIsIncorrect) {
  auto options = small();
  options.before = "  if (h == 3) return;";
  expect(check(test::make_kernel(options)), OutcomeKind::incorrect, "");
}

TEST_F(GateTest, WritingBehindARowIsOutOfBounds) {
  auto options = small();
  options.after = "  out[D] = 0.5f;";
  expect(check(test::make_kernel(options)), OutcomeKind::out_of_bounds, "");
}

TEST_F(GateTest, WritingBesideScratchIsOutOfBounds) {
  auto options = small();
  options.plan =
      "[scratch]\nnotes = { type = \"float32\", shape = [\"Hq\"] }\n";
  options.writes = R"("output", "notes")";
  options.after = "  notes[h] = 1.0f;";
  EXPECT_FALSE(check(test::make_kernel(options)).failure);
  options.after = "  notes[h + 1] = 1.0f;";
  expect(check(test::make_kernel(options)), OutcomeKind::out_of_bounds,
         "'notes'");
  options.after = "  notes[h - 1] = 1.0f;";
  expect(check(test::make_kernel(options)), OutcomeKind::out_of_bounds,
         "'notes'");
}

// Scratch holds NaN before every call: nothing can be left there for later.
TEST_F(GateTest, ReadingScratchThatNobodyWroteIsIncorrect) {
  auto options = small();
  options.plan =
      "[scratch]\nnotes = { type = \"float32\", shape = [\"Hq\"] }\n";
  options.writes = R"("output", "notes")";
  options.result = "acc[d] + notes[h]";
  options.after = "  notes[h] = 0.0f;";
  expect(check(test::make_kernel(options)), OutcomeKind::incorrect, "");
}

TEST_F(GateTest, CountersMustBeLeftZero) {
  auto options = small();
  options.plan =
      "[scratch]\ntickets = { type = \"int32\", shape = [\"Hq\"], init = "
      "\"zero\", self_reset = true }\n";
  options.writes = R"("output", "tickets")";
  options.after = "  tickets[h] += 1;\n  tickets[h] -= 1;";
  GateOptions repeats;
  repeats.scratch_repeats = 5;
  EXPECT_FALSE(check(test::make_kernel(options), repeats).failure);
  options.after = "  tickets[h] = h == 2;";
  expect(check(test::make_kernel(options)), OutcomeKind::incorrect,
         "'tickets'");
}

TEST_F(GateTest, AnAnswerThatDependsOnAddressesIsNondeterministic) {
  auto options = small();
  // A hair of difference, well inside the tolerance.
  options.before =
      "  const float hair = (reinterpret_cast<uintptr_t>(output) & 192) != 0 ? "
      "1.004f : 1.0f;";
  options.result = "acc[d] * hair";
  expect(check(test::make_kernel(options)), OutcomeKind::nondeterministic,
         "addresses");
}

// What a plan declares is believed, and then checked by the tolerance alone.
TEST_F(GateTest, AtomicsMayDifferInTheLastBits) {
  auto options = small();
  options.plan = "atomics = true\n";
  options.before =
      "  const float hair = (reinterpret_cast<uintptr_t>(output) & 192) != 0 ? "
      "1.004f : 1.0f;";
  options.result = "acc[d] * hair";
  const CaseResult result = check(test::make_kernel(options));
  EXPECT_FALSE(result.failure) << result.message;
}

TEST_F(GateTest, WritingAnInputCrashes) {
  auto options = small();
  options.after = "  const_cast<bfloat16*>(q)[0] = 1.0f;";
  expect(check(test::make_kernel(options)), OutcomeKind::crashed,
         test::kCrashed);
}

TEST_F(GateTest, ReadingFarAwayCrashes) {
  auto options = small();
  options.after = "  out[0] = k[int64_t{1} << 44];";
  expect(check(test::make_kernel(options)), OutcomeKind::crashed,
         test::kCrashed);
  EXPECT_FALSE(kernel_->runner().usable());
}

TEST_F(GateTest, DividingByZeroCrashes) {
  auto options = small();
  options.after = "  volatile int zero = 0;\n  out[0] = float(Lk / zero);";
  const CaseResult result = check(test::make_kernel(options));
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(*result.failure, OutcomeKind::crashed);
}

TEST_F(GateTest, HangingTimesOut) {
  auto options = small();
  options.before = "  volatile int forever = 1;\n  while (forever) {\n  }";
  GateOptions gate;
  gate.call_timeout_ms = 1000;
  expect(check(test::make_kernel(options), gate), OutcomeKind::timed_out,
         "1 s");
}

TEST_F(GateTest, ADeadRunnerIsTheMachinesFault) {
  load(test::honest_kernel());
  kernel_->runner().cancel();
  const CaseResult result = check_loaded();
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(*result.failure, OutcomeKind::infrastructure_failed);
}

TEST_F(GateTest, AShapeWithoutVariantIsRejected) {
  load(test::honest_kernel());
  const Shape large = test::small_workload({4096}).shapes[0].shape;
  const CaseResult result = check_loaded({}, {large, "normal", "contiguous"});
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(*result.failure, OutcomeKind::rejected_plan);
}

// The slow path gives the same answers.
TEST(GateStreamTest, JudgesTheSameWithoutSharedMemory) {
  WorkbenchOptions options;
  options.shared_memory = false;
  test::Court court(options);
  const auto check = [&](const std::string& text) {
    const auto build = court.build(text);
    const auto kernel = court.load(*build);
    GateOptions gate_options;
    gate_options.verify_inputs = true;
    gate_options.scratch_repeats = 2;
    Gate gate(*kernel, gate_options, 1);
    return gate.check(**court.bench().cases().make_fresh(small_case()));
  };
  const CaseResult right = check(test::honest_kernel());
  EXPECT_FALSE(right.failure) << right.message;
  auto kernel = small();
  kernel.after = "  out[D] = 0.5f;";
  EXPECT_EQ(check(test::make_kernel(kernel)).failure,
            OutcomeKind::out_of_bounds);
  kernel.after = "  const_cast<bfloat16*>(q)[0] = 1.0f;";
  EXPECT_EQ(check(test::make_kernel(kernel)).failure, OutcomeKind::crashed);
  kernel.after = "  notes[h + 1] = 1.0f;";
  kernel.plan =
      "[scratch]\nnotes = { type = \"float32\", shape = [\"Hq\"] }\n"
      "tickets = { type = \"int32\", shape = [\"Hq\"], init = "
      "\"zero\", self_reset = true }\n";
  kernel.writes = R"("output", "notes", "tickets")";
  EXPECT_EQ(check(test::make_kernel(kernel)).failure,
            OutcomeKind::out_of_bounds);
  kernel.after = "  notes[h] = 1.0f;\n  tickets[h] = 0;";
  const CaseResult scratch = check(test::make_kernel(kernel));
  EXPECT_FALSE(scratch.failure) << scratch.message;
}

}  // namespace
}  // namespace evoke::judge
