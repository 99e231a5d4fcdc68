#include "evoke/evaluation/judge/parallel_evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

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
  Novelty own_novelty;
  Cascade cascade;
  Confirmer confirmer;

  explicit Chamber(test::Court& of, Novelty* shared = nullptr)
      : court(of),
        cascade(of.bench(), of.track(), of.reference(),
                shared != nullptr ? *shared : own_novelty, cascade_options()),
        confirmer(of.bench(), of.track(), {"honest", test::honest_kernel()}, {},
                  confirmer_options()) {}
  EvaluatorDevice device(const std::string& id = "") {
    return {court.bench(), cascade, confirmer, id};
  }
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
  EvaluatorDevice device = chamber_.device();
  device.when_confirmed = [](const Candidate& candidate, Outcome& outcome) {
    outcome.details["seen"] = candidate.id;
  };
  ParallelEvaluator evaluator({device}, workers(3));
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
  ParallelEvaluator evaluator({chamber_.device()}, workers(2));
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
  ParallelEvaluator evaluator({chamber_.device()}, workers(1));
  evaluator.cancel();
  evaluator.cancel();
  evaluator.submit(request_of(1, test::honest_kernel("idle", 41)));
  const auto outcome = evaluator.wait(kWaitMs);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
}

TEST_F(ParallelEvaluatorTest, CanBeDestroyedWhileItWorks) {
  {
    ParallelEvaluator evaluator({chamber_.device()}, workers(2));
    for (CandidateId id = 1; id <= 3; ++id) {
      evaluator.submit(
          request_of(id, hanging_kernel(static_cast<int>(10 + id))));
    }
    std::this_thread::sleep_for(100ms);
  }
  ParallelEvaluator next({chamber_.device()}, workers(1));
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
    ParallelEvaluator evaluator({chamber.device()}, workers(1, 3));
    evaluator.submit(request_of(1, test::honest_kernel("retry", 50)));
    const auto outcome = evaluator.wait(kWaitMs);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->kind, OutcomeKind::infrastructure_failed);
    EXPECT_EQ(outcome->details.at("attempts"), 3);
    EXPECT_THAT(outcome->message, HasSubstr(program));
  }
  // Back in the middle of it.
  ParallelEvaluator evaluator({chamber.device()}, workers(1, 1'000'000));
  evaluator.submit(request_of(1, test::honest_kernel("retry", 50)));
  std::this_thread::sleep_for(100ms);
  std::filesystem::rename(away, program);
  const auto outcome = evaluator.wait(kWaitMs);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
  EXPECT_GT(outcome->details.at("attempts").get<int>(), 1);
}

// Two judges of this processor that know nothing of each other's lock: as far
// as the evaluator can see, two devices that are alike.
class TwoDevicesTest : public ::testing::Test {
 protected:
  struct Pair {
    test::TemporaryFolder folder;
    // Programs of their own, so that one device can vanish.
    std::string programs[2] = {folder.file("evoke_runner"),
                               folder.file("evoke_runner_2")};
    Novelty novelty;
    std::unique_ptr<test::Court> courts[2];
    std::unique_ptr<Chamber> chambers[2];

    Pair() {
      std::filesystem::copy_file(test::runner_path(), programs[0]);
      std::filesystem::create_hard_link(programs[0], programs[1]);
      for (std::size_t i = 0; i < 2; ++i) {
        WorkbenchOptions options;
        options.runner_path = programs[i];
        options.lock_folder = folder.file("locks-" + std::to_string(i));
        if (i > 0) options.shared_cases = courts[0]->bench().shared_cases();
        courts[i] = std::make_unique<test::Court>(options);
        chambers[i] = std::make_unique<Chamber>(*courts[i], &novelty);
        (void)test::value_of(courts[i]->reference().side());
      }
    }
  };
  static Pair& shared() {
    static Pair pair;
    return pair;
  }
  Pair& pair_ = shared();

  std::vector<EvaluatorDevice> devices() {
    return {pair_.chambers[0]->device("first"),
            pair_.chambers[1]->device("second")};
  }
  // Without starting again what another test has judged already.
  static CandidateId next_id() {
    static CandidateId id = 0;
    return ++id;
  }
  void remove_program(std::size_t at) const {
    std::filesystem::rename(pair_.programs[at], pair_.programs[at] + ".away");
  }
  void restore_program(std::size_t at) const {
    std::filesystem::rename(pair_.programs[at] + ".away", pair_.programs[at]);
  }
};

TEST_F(TwoDevicesTest, BothJudgeAndEveryOutcomeComesOnce) {
  EXPECT_EQ(&pair_.courts[0]->bench().cases(),
            &pair_.courts[1]->bench().cases());
  ParallelEvaluator evaluator(devices(), workers(2));
  std::map<CandidateId, OutcomeKind> got;
  std::map<std::string, int> judged;
  constexpr int kRequests = 6;
  // The last two have the same machine code, whoever judges them.
  for (int i = 0; i < kRequests; ++i) {
    evaluator.submit(request_of(
        next_id(), test::honest_kernel("both" + std::to_string(i),
                                       60 + std::min(i, kRequests - 2))));
  }
  std::map<OutcomeKind, int> kinds;
  for (int i = 0; i < kRequests; ++i) {
    const auto outcome = evaluator.wait(kWaitMs);
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(got.emplace(outcome->candidate, outcome->kind).second);
    ++judged[outcome->details.at("device").get<std::string>()];
    ++kinds[outcome->kind];
  }
  EXPECT_EQ(evaluator.in_flight(), 0);
  EXPECT_EQ(kinds,
            (std::map<OutcomeKind, int>{{OutcomeKind::measured, kRequests - 1},
                                        {OutcomeKind::duplicate, 1}}));
  EXPECT_GT(judged["first"], 0);
  EXPECT_GT(judged["second"], 0);
}

TEST_F(TwoDevicesTest, CancelReachesBoth) {
  ParallelEvaluator evaluator(devices(), workers(2));
  for (int i = 0; i < 4; ++i) {
    evaluator.submit(request_of(next_id(), hanging_kernel(20 + i)));
  }
  EXPECT_FALSE(evaluator.wait(300));
  EXPECT_EQ(evaluator.in_flight(), 4);
  evaluator.cancel();
  EXPECT_EQ(evaluator.in_flight(), 0);
  EXPECT_FALSE(evaluator.wait(100));
  for (const auto& court : pair_.courts) {
    EXPECT_FALSE(court->bench().stopping());
  }
  for (int i = 0; i < 2; ++i) {
    evaluator.submit(request_of(next_id(), test::honest_kernel("go", 70 + i)));
  }
  for (int i = 0; i < 2; ++i) {
    const auto outcome = evaluator.wait(kWaitMs);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
  }
}

// One device falls off the bus: the other one judges what it could not.
TEST_F(TwoDevicesTest, TheSearchGoesOnWithoutADeviceThatIsGone) {
  remove_program(1);
  std::mutex mutex;
  std::vector<std::string> notices;
  ParallelEvaluatorOptions options = workers(2, /*attempts=*/1);
  options.notice = [&](const std::string& what) {
    const std::lock_guard lock(mutex);
    notices.push_back(what);
  };
  {
    ParallelEvaluator evaluator(devices(), options);
    EXPECT_EQ(evaluator.first_in_service(), 0u);
    constexpr int kRequests = 6;
    for (int i = 0; i < kRequests; ++i) {
      evaluator.submit(
          request_of(next_id(), test::honest_kernel("gone", 80 + i)));
    }
    int most_attempts = 0;
    for (int i = 0; i < kRequests; ++i) {
      const auto outcome = evaluator.wait(kWaitMs);
      ASSERT_TRUE(outcome);
      EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
      EXPECT_EQ(outcome->details.at("device"), "first");
      most_attempts =
          std::max(most_attempts, outcome->details.at("attempts").get<int>());
    }
    EXPECT_EQ(most_attempts, 2);  // here once, after the other device
    EXPECT_EQ(evaluator.first_in_service(), 0u);
  }
  restore_program(1);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_THAT(notices[0], HasSubstr("second"));
  EXPECT_THAT(notices[0], HasSubstr(pair_.programs[1]));
}

// Nothing tells which of them is to blame, so none is given up.
TEST_F(TwoDevicesTest, WhatFailsEverywhereIsReportedAndNoDeviceGivenUp) {
  remove_program(0);
  remove_program(1);
  std::atomic<int> notices = 0;
  ParallelEvaluatorOptions options = workers(2, /*attempts=*/1);
  options.notice = [&](const std::string&) { ++notices; };
  ParallelEvaluator evaluator(devices(), options);
  std::vector<CandidateId> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(next_id());
    evaluator.submit(
        request_of(ids.back(), test::honest_kernel("none", 90 + i)));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto outcome = evaluator.wait(kWaitMs);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->kind, OutcomeKind::infrastructure_failed);
    EXPECT_EQ(outcome->details.at("attempts"), 2);
  }
  EXPECT_EQ(evaluator.in_flight(), 0);
  restore_program(0);
  restore_program(1);
  evaluator.submit(request_of(ids[0], test::honest_kernel("none", 90)));
  const auto outcome = evaluator.wait(kWaitMs);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
  EXPECT_EQ(notices, 0);
}

}  // namespace
}  // namespace evoke::judge
