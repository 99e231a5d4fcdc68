#include "evoke/evaluation/judge/parallel_evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"
#include "tests/support/runner_path.h"

namespace evoke::judge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Everything that an evaluator needs over a court.
struct Chamber {
  test::Court& court;
  Novelty novelty;
  Cascade cascade;
  Confirmer confirmer;

  explicit Chamber(test::Court& of)
      : court(of),
        cascade(of.bench(), of.track(), of.reference(), novelty,
                cascade_options()),
        confirmer(of.bench(), of.track(), {"honest", test::honest_kernel()}, {},
                  confirmer_options()) {}
  static CascadeOptions cascade_options() {
    CascadeOptions options;
    options.num_pairs = 2;
    options.screen.call_timeout_ms = 20'000;
    options.gate.call_timeout_ms = 20'000;
    return options;
  }
  static ConfirmerOptions confirmer_options() {
    ConfirmerOptions options;
    options.num_pairs = 6;
    options.confidence = 0.95;
    options.warm_pairs = 2;
    options.gate.scratch_repeats = 1;
    return options;
  }
};

EvaluationRequest request_of(CandidateId id, const std::string& text) {
  EvaluationRequest request;
  request.candidate.id = id;
  request.candidate.text = text;
  return request;
}

std::string hanging_kernel(int number) {
  test::KernelOptions options;
  options.when = test::kSmall;
  options.before = "  volatile int forever = " + std::to_string(number + 1) +
                   ";\n  while (forever) {\n  }";
  return test::make_kernel(options);
}

ParallelEvaluatorOptions workers(int count, int attempts = 3) {
  ParallelEvaluatorOptions options;
  options.num_workers = count;
  options.attempts = attempts;
  return options;
}

constexpr int64_t kWaitMs = 60'000;

class ParallelEvaluatorTest : public ::testing::Test {
 protected:
  Chamber chamber_{test::Court::shared()};
};

TEST_F(ParallelEvaluatorTest, JudgesManyAtOnceAndLosesNone) {
  ParallelEvaluatorOptions options = workers(3);
  options.when_confirmed = [](const Candidate& candidate, Outcome& outcome) {
    outcome.details["seen"] = candidate.id;
  };
  ParallelEvaluator evaluator(chamber_.court.bench(), chamber_.cascade,
                              chamber_.confirmer, options);
  EXPECT_FALSE(evaluator.wait(0));
  EXPECT_EQ(evaluator.in_flight(), 0);
  test::KernelOptions wrong;
  wrong.when = test::kSmall;
  wrong.keys = "visible / 2";
  std::map<CandidateId, OutcomeKind> expected;
  for (CandidateId id = 1; id <= 4; ++id) {
    evaluator.submit(
        request_of(id, test::honest_kernel("many", 30 + static_cast<int>(id))));
    expected[id] = OutcomeKind::measured;
  }
  evaluator.submit(request_of(5, test::make_kernel(wrong)));
  expected[5] = OutcomeKind::incorrect;
  evaluator.submit(request_of(6, "no kernel"));
  expected[6] = OutcomeKind::rejected_plan;
  EvaluationRequest confirm = request_of(7, test::honest_kernel("many", 31));
  confirm.purpose = EvaluationPurpose::confirm;
  confirm.rival_text = test::make_slow_kernel(200);
  evaluator.submit(confirm);
  expected[7] = OutcomeKind::confirmed;
  std::map<CandidateId, OutcomeKind> got;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(evaluator.in_flight(), static_cast<int>(expected.size() - i));
    const auto outcome = evaluator.wait(kWaitMs);
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(got.emplace(outcome->candidate, outcome->kind).second);
    EXPECT_EQ(outcome->details.at("attempts"), 1) << outcome->message;
    EXPECT_EQ(outcome->details.value("seen", 0),
              outcome->kind == OutcomeKind::confirmed ? 7 : 0);
  }
  EXPECT_EQ(got, expected);
  EXPECT_EQ(evaluator.in_flight(), 0);
}

TEST_F(ParallelEvaluatorTest, CancelKillsWhatRunsAndReportsNothing) {
  ParallelEvaluator evaluator(chamber_.court.bench(), chamber_.cascade,
                              chamber_.confirmer, workers(2));
  for (CandidateId id = 1; id <= 4; ++id) {
    evaluator.submit(request_of(id, hanging_kernel(static_cast<int>(id))));
  }
  EXPECT_FALSE(evaluator.wait(300));
  EXPECT_EQ(evaluator.in_flight(), 4);
  evaluator.cancel();
  EXPECT_EQ(evaluator.in_flight(), 0);
  EXPECT_FALSE(evaluator.wait(100));

  // Everything works again at once, and what was dropped may come back.
  evaluator.submit(request_of(1, test::honest_kernel("after", 40)));
  const auto outcome = evaluator.wait(kWaitMs);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
  EXPECT_EQ(outcome->details.at("attempts"), 1);
}

TEST_F(ParallelEvaluatorTest, CancelWithNothingToDoIsHarmless) {
  ParallelEvaluator evaluator(chamber_.court.bench(), chamber_.cascade,
                              chamber_.confirmer, workers(1));
  evaluator.cancel();
  evaluator.cancel();
  evaluator.submit(request_of(1, test::honest_kernel("idle", 41)));
  const auto outcome = evaluator.wait(kWaitMs);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
}

TEST_F(ParallelEvaluatorTest, CanBeDestroyedWhileItWorks) {
  {
    ParallelEvaluator evaluator(chamber_.court.bench(), chamber_.cascade,
                                chamber_.confirmer, workers(2));
    for (CandidateId id = 1; id <= 3; ++id) {
      evaluator.submit(
          request_of(id, hanging_kernel(static_cast<int>(10 + id))));
    }
    std::this_thread::sleep_for(100ms);
  }
  ParallelEvaluator next(chamber_.court.bench(), chamber_.cascade,
                         chamber_.confirmer, workers(1));
  next.submit(request_of(9, test::honest_kernel("next", 42)));
  const auto outcome = next.wait(kWaitMs);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
}

// The runner's program vanishes, as in an upgrade, and comes back.
TEST(ParallelEvaluatorRetryTest, FailuresOfTheMachineAreTriedAgain) {
  test::TemporaryFolder folder;
  const std::string program = folder.file("evoke_runner");
  const std::string away = program + ".away";
  std::filesystem::copy_file(test::runner_path(), program);
  WorkbenchOptions options;
  options.runner_path = program;
  test::Court court(options);
  Chamber chamber(court);
  (void)test::value_of(court.reference().side());
  std::filesystem::rename(program, away);
  {
    ParallelEvaluator evaluator(court.bench(), chamber.cascade,
                                chamber.confirmer, workers(1, 3));
    evaluator.submit(request_of(1, test::honest_kernel("retry", 50)));
    const auto outcome = evaluator.wait(kWaitMs);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->kind, OutcomeKind::infrastructure_failed);
    EXPECT_EQ(outcome->details.at("attempts"), 3);
    EXPECT_THAT(outcome->message, HasSubstr(program));
  }
  // Back in the middle of it.
  ParallelEvaluator evaluator(court.bench(), chamber.cascade, chamber.confirmer,
                              workers(1, 1'000'000));
  evaluator.submit(request_of(1, test::honest_kernel("retry", 50)));
  std::this_thread::sleep_for(100ms);
  std::filesystem::rename(away, program);
  const auto outcome = evaluator.wait(kWaitMs);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
  EXPECT_GT(outcome->details.at("attempts").get<int>(), 1);
}

}  // namespace
}  // namespace evoke::judge
