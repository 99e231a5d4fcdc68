// Arms, races, opponents and tracks, with real kernels. No test depends on a
// time but where one side does the work 20 times.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cmath>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/verdict.h"
#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"

namespace evoke::judge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Kind = RunnerFault::Kind;

constexpr int kTimes = 200;

test::KernelOptions small() {
  test::KernelOptions options;
  options.when = test::kSmall;
  return options;
}

class Racing : public ::testing::Test {
 protected:
  virtual test::Court& court() { return test::Court::shared(); }
  RaceTrack& track() { return court().track(); }

  RunnerResult<RaceResult> race(const std::string& text, Opponent& opponent,
                                RaceTrack::Request request = {}) {
    kernel_.reset();
    build_ = court().build(text);
    kernel_ = court().load(*build_);
    if (request.num_pairs == 8) request.num_pairs = 2;
    return track().race(*kernel_, opponent, request);
  }
  std::unique_ptr<KernelBuild> build_;
  std::unique_ptr<LoadedKernel> kernel_;
};

// Whether the device has memory and a clock of its own.
class RaceTest : public Racing, public ::testing::WithParamInterface<bool> {
 protected:
  test::Court& court() override {
    return GetParam() ? test::Court::apart() : test::Court::shared();
  }
};

INSTANTIATE_TEST_SUITE_P(All, RaceTest, ::testing::Bool(),
                         [](const auto& instance) {
                           return instance.param ? "Apart" : "Host";
                         });

TEST_P(RaceTest, MeasuresEveryShapeInPairs) {
  RaceTrack::Request request;
  request.num_pairs = 5;
  request.confidence = 0.9;
  const auto result =
      race(test::honest_kernel("another", 3), court().reference(), request);
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_FALSE(result->failure);
  EXPECT_FALSE(result->stopped_early);
  ASSERT_EQ(result->shapes.size(), 1U);
  const ShapeMeasurement& shape = result->shapes[0];
  EXPECT_EQ(shape.shape, track().shapes()[0].name);
  EXPECT_EQ(shape.baseline, "honest");
  EXPECT_EQ(shape.cache_state, CacheState::cold);
  EXPECT_EQ(shape.pairs.size(), 5U);
  EXPECT_EQ(shape.discarded_pairs, 0);
  EXPECT_GE(shape.calls_per_block, 1);
  EXPECT_EQ(shape.confidence, 0.9);
  EXPECT_GT(shape.roof_us, 0);
  for (const TimedPair& pair : shape.pairs) {
    EXPECT_GT(pair.baseline_us, 0);
    EXPECT_GT(pair.candidate_us, 0);
  }
  ShapeMeasurement again = shape;
  summarize(again);
  EXPECT_EQ(again.verdict, shape.verdict);
  EXPECT_EQ(again.speedup, shape.speedup);
}

TEST_P(RaceTest, TellsWhoDoesTheWorkManyTimes) {
  const auto result = race(test::make_slow_kernel(kTimes), court().reference());
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_FALSE(result->failure) << result->failure->failure.message;
  const ShapeMeasurement& shape = result->shapes.at(0);
  EXPECT_EQ(shape.verdict, SpeedVerdict::slower);
  EXPECT_LT(shape.speedup, 0.7);

  const auto slow =
      test::value_of(track().opponent("slow", test::make_slow_kernel(kTimes)));
  const auto turned = race(test::honest_kernel(), *slow);
  ASSERT_TRUE(turned) << turned.error().message;
  EXPECT_EQ(turned->shapes.at(0).verdict, SpeedVerdict::faster);
  EXPECT_GT(turned->shapes.at(0).speedup, 1.4);
}

TEST_P(RaceTest, StopsEarlyWhenClearlyBelow) {
  RaceTrack::Request request;
  request.num_pairs = 6;
  request.stop_below_fitness = 0.5;
  const auto stopped =
      race(test::make_slow_kernel(kTimes), court().reference(), request);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_TRUE(stopped->stopped_early);
  EXPECT_LT(stopped->shapes.at(0).pairs.size(), 6U);
  EXPECT_GT(stopped->shapes.at(0).pairs.size(), 0U);
  request.stop_below_fitness = 1e-6;
  const auto whole =
      race(test::make_slow_kernel(kTimes), court().reference(), request);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_FALSE(whole->stopped_early);
}

TEST_P(RaceTest, WrongAnswersEndTheRace) {
  auto options = small();
  options.keys = "visible / 2";
  const auto result = race(test::make_kernel(options), court().reference());
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_TRUE(result->failure);
  EXPECT_EQ(result->failure->shape, track().shapes()[0].name);
  EXPECT_FALSE(result->failure->failure.out_of_bounds);
  EXPECT_FALSE(result->failure->failure.changed);
  EXPECT_TRUE(result->shapes.empty());
}

TEST_P(RaceTest, WritingOutsideEndsTheRace) {
  auto options = small();
  options.after = "  if (h == 3) out[D] = 0.5f;";
  const auto result = race(test::make_kernel(options), court().reference());
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_TRUE(result->failure);
  EXPECT_TRUE(result->failure->failure.out_of_bounds);
}

// Warm races run one copy again and again, each call with an output of its
// own: one that answers by address shows.
TEST_P(RaceTest, AnswersThatChangeEndTheRace) {
  const auto warm = test::value_of(
      track().opponent("warm", test::honest_kernel(), CacheState::warm));
  auto options = small();
  options.before =
      "  const float hair = (reinterpret_cast<uintptr_t>(output) >> 12 & 1) "
      "!= 0 ? 1.004f : 1.0f;";
  options.result = "acc[d] * hair";
  const auto result = race(test::make_kernel(options), *warm);
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_TRUE(result->failure);
  EXPECT_TRUE(result->failure->failure.changed);
  EXPECT_THAT(result->failure->failure.message, HasSubstr("differently"));
  const auto honest = race(test::honest_kernel("warm", 4), *warm);
  ASSERT_TRUE(honest) << honest.error().message;
  ASSERT_FALSE(honest->failure);
  EXPECT_EQ(honest->shapes.at(0).cache_state, CacheState::warm);
  // Nobody has measured what noise is there.
  EXPECT_TRUE(std::isnan(honest->shapes.at(0).minimum_effect));
  EXPECT_EQ(honest->shapes.at(0).verdict, SpeedVerdict::cannot_tell);
}

TEST_P(RaceTest, ChangedInputsEndTheRace) {
  if (!GetParam()) GTEST_SKIP() << "there inputs cannot be written";
  auto options = small();
  options.after = "  if (h == 0) const_cast<bfloat16*>(k)[0] = v[0];";
  const auto result = race(test::make_kernel(options), court().reference());
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_TRUE(result->failure);
  EXPECT_TRUE(result->failure->failure.out_of_bounds);
  EXPECT_THAT(result->failure->failure.message, HasSubstr("input 'key'"));
}

TEST_P(RaceTest, ScratchIsPoisonedBetweenTimedBlocks) {
  auto options = small();
  options.plan =
      "[scratch]\nnotes = { type = \"float32\", shape = [\"Hq\"] }\n"
      "tickets = { type = \"int32\", shape = [\"Hq\"], init = "
      "\"zero\", self_reset = true }\n";
  options.writes = R"("output", "notes", "tickets")";
  options.after = "  notes[h] = 1.0f;\n  tickets[h] = 0;";
  const auto right = race(test::make_kernel(options), court().reference());
  ASSERT_TRUE(right) << right.error().message;
  EXPECT_FALSE(right->failure) << right->failure->failure.message;
  // Remembers in scratch that it ran.
  options.after =
      "  notes[h] = 1.0f;\n  tickets[h] = 0;\n"
      "  if (h == 0 && notes[Hq] == 1.0f) out[0] = 0.0f;\n"
      "  if (h == 0) notes[Hq] = 1.0f;";
  const auto outside = race(test::make_kernel(options), court().reference());
  ASSERT_TRUE(outside) << outside.error().message;
  ASSERT_TRUE(outside->failure);
  EXPECT_TRUE(outside->failure->failure.out_of_bounds);
}

TEST_P(RaceTest, ACrashIsTheCandidatesFault) {
  auto options = small();
  options.after = "  out[0] = k[int64_t{1} << 44];";
  const auto result = race(test::make_kernel(options), court().reference());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::died);
}

TEST_P(RaceTest, CancelEndsARace) {
  auto options = small();
  options.before = "  volatile int forever = 1;\n  while (forever) {\n  }";
  const auto build = court().build(test::make_kernel(options));
  const auto kernel = court().load(*build);
  (void)test::value_of(court().reference().side());
  std::thread canceller([&] {
    std::this_thread::sleep_for(200ms);
    court().bench().cancel();
  });
  const auto result = track().race(*kernel, court().reference(), {});
  canceller.join();
  court().bench().resume();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::cancelled);
  // Everything starts again by itself.
  const auto next = race(test::honest_kernel(), court().reference());
  EXPECT_TRUE(next) << next.error().message;
}

TEST_P(RaceTest, RacesSideBySideTakeTurns) {
  std::vector<std::thread> threads;
  std::atomic<int> measured{0};
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      const auto build = court().build(test::honest_kernel("beside", 5 + t));
      const auto kernel = court().load(*build);
      RaceTrack::Request request;
      request.num_pairs = 3;
      const auto result = track().race(*kernel, court().reference(), request);
      if (result && !result->failure) ++measured;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(measured, 2);
}

TEST_P(RaceTest, SecondRaceOfALoadedKernelWorks) {
  const auto first = race(test::honest_kernel(), court().reference());
  ASSERT_TRUE(first);
  RaceTrack::Request request;
  request.num_pairs = 2;
  const auto second = track().race(*kernel_, court().reference(), request);
  EXPECT_TRUE(second) << second.error().message;
}

// What a runner on a device apart has said of answers that it brought over.
int num_collected(LoadedKernel& kernel) {
  int sum = 0;
  std::istringstream lines(kernel.runner().output_tail());
  std::string word;
  for (int count = 0; lines >> word >> count;) sum += count;
  return sum;
}

TEST(ArmTest, AnswersThatAreKnownStayWhereTheyAre) {
  test::Court& court = test::Court::apart();
  const auto build = court.build(test::honest_kernel());
  TimingInputs::Options options;
  options.max_copies = 8;
  auto inputs = TimingInputs::make(
      court.problem(), test::small_workload().shapes[0].shape, options);
  ASSERT_TRUE(inputs) << inputs.error().message;
  (*inputs)->fill();
  const std::vector<int> slots = slots_for(CacheState::cold, 8);
  const auto block = [&](LoadedKernel& kernel, Arm& arm) {
    const int before = num_collected(kernel);
    EXPECT_TRUE(arm.stage(slots, 10'000));
    EXPECT_TRUE(arm.go(10'000));
    const auto verified = arm.verify();
    EXPECT_TRUE(verified && !*verified);
    return num_collected(kernel) - before;
  };
  const auto first = court.load(*build);
  const auto arm =
      test::value_of(Arm::of_kernel("first", *first, *inputs, slots));
  ASSERT_TRUE(arm->bind(slots));
  EXPECT_EQ(block(*first, *arm), 8);
  EXPECT_EQ(block(*first, *arm), 0);
  // Whoever gave them.
  const auto second = court.load(*build);
  const auto other =
      test::value_of(Arm::of_kernel("second", *second, *inputs, slots));
  const auto ensured = other->ensure(slots, 10'000);
  ASSERT_TRUE(ensured) << ensured.error().message;
  EXPECT_FALSE(*ensured);
  EXPECT_EQ(num_collected(*second), 0);
  EXPECT_EQ(block(*second, *other), 0);
}

// Where candidates follow one another in one process.
class StallTest : public Racing {
 protected:
  void SetUp() override {
    RaceTrackOptions options = Racing::track().options();
    options.like = &Racing::track();
    options.one_process = true;
    track_ = test::value_of(
        RaceTrack::open(court().bench(), Racing::track().workload(), options));
  }
  // How a kernel's race ends, and how many processes it took beside the one
  // that its gate would have.
  struct Ended {
    RunnerResult<RaceResult> result;
    int processes = 0;
  };
  Ended race_here(const std::string& text) {
    const auto build = court().build(text);
    const auto kernel = court().load(*build);
    RaceTrack::Request request;
    request.num_pairs = 2;
    (void)test::value_of(court().reference().side());
    const int before = court().bench().pool().num_started();
    auto result = track_->race(*kernel, court().reference(), request);
    return {std::move(result), court().bench().pool().num_started() - before};
  }
  std::unique_ptr<RaceTrack> track_;
};

TEST_F(StallTest, CandidatesFollowOneAnotherInOneProcess) {
  const Ended first = race_here(test::honest_kernel());
  ASSERT_TRUE(first.result) << first.result.error().message;
  EXPECT_EQ(first.processes, 1);
  for (int i = 0; i < 2; ++i) {
    const Ended next = race_here(test::honest_kernel("next", 7 + i));
    ASSERT_TRUE(next.result) << next.result.error().message;
    EXPECT_FALSE(next.result->failure);
    EXPECT_EQ(next.result->shapes.at(0).pairs.size(), 2U);
    EXPECT_EQ(next.processes, 0);
  }
}

TEST_F(StallTest, WhatIsWrongWhereOthersRanIsTriedAloneBeforeItIsBlamed) {
  auto options = small();
  options.keys = "visible / 2";
  const std::string wrong = test::make_kernel(options);
  const Ended alone = race_here(wrong);
  ASSERT_TRUE(alone.result) << alone.result.error().message;
  EXPECT_TRUE(alone.result->failure);
  EXPECT_EQ(alone.processes, 1);
  // Nothing of it is left.
  EXPECT_EQ(race_here(test::honest_kernel()).processes, 1);
  const Ended again = race_here(wrong);
  ASSERT_TRUE(again.result) << again.result.error().message;
  EXPECT_TRUE(again.result->failure);
  EXPECT_EQ(again.processes, 1);
}

TEST_F(StallTest, ACrashIsTheCandidatesFaultAndNobodyElses) {
  ASSERT_TRUE(race_here(test::honest_kernel()).result);
  auto options = small();
  options.after = "  out[0] = k[int64_t{1} << 44];";
  const Ended crashed = race_here(test::make_kernel(options));
  ASSERT_FALSE(crashed.result);
  EXPECT_EQ(crashed.result.error().kind, Kind::died);
  const Ended next = race_here(test::honest_kernel());
  ASSERT_TRUE(next.result) << next.result.error().message;
  EXPECT_FALSE(next.result->failure);
}

class OpponentTest : public Racing {};

TEST_F(OpponentTest, StaysInItsProcess) {
  const auto one = test::value_of(court().reference().side());
  const auto two = test::value_of(court().reference().side());
  EXPECT_EQ(one->runner->pid(), two->runner->pid());
  EXPECT_EQ(one->arms.size(), 1U);
  EXPECT_EQ(court().reference().name(), "honest");
  EXPECT_EQ(court().reference().version(), "");
}

TEST_F(OpponentTest, RestartIsAFreshProcess) {
  const pid_t before =
      test::value_of(court().reference().side())->runner->pid();
  court().reference().restart();
  EXPECT_NE(test::value_of(court().reference().side())->runner->pid(), before);
}

// Its end is not the candidate's fault, and the next race finds another.
TEST_F(OpponentTest, ComesBackAfterItWasKilled) {
  const pid_t before =
      test::value_of(court().reference().side())->runner->pid();
  ::kill(before, SIGKILL);
  const auto spoiled = race(test::honest_kernel(), court().reference());
  ASSERT_FALSE(spoiled);
  EXPECT_EQ(spoiled.error().kind, Kind::unavailable);
  const auto next = race(test::honest_kernel(), court().reference());
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_NE(test::value_of(court().reference().side())->runner->pid(), before);
}

TEST_F(OpponentTest, AWrongKernelIsNoOpponent) {
  auto options = small();
  options.keys = "visible / 2";
  const auto wrong =
      test::value_of(track().opponent("half", test::make_kernel(options)));
  const auto side = wrong->side();
  ASSERT_FALSE(side);
  EXPECT_EQ(side.error().kind, Kind::unavailable);
  EXPECT_THAT(side.error().message, HasSubstr("half"));
}

TEST_F(OpponentTest, WhatDoesNotCompileIsNoOpponent) {
  auto options = small();
  options.before = "  undeclared();";
  for (const std::string& text :
       {std::string("nonsense"), test::make_kernel(options)}) {
    const auto opponent = track().opponent("broken", text);
    ASSERT_FALSE(opponent);
    EXPECT_EQ(opponent.error().kind, Kind::unavailable);
    EXPECT_FALSE(opponent.error().message.empty());
  }
}

TEST_F(OpponentTest, AnUnknownBaselineSaysSo) {
  const auto side = track().baseline("abacus")->side();
  ASSERT_FALSE(side);
  EXPECT_THAT(side.error().message, HasSubstr("abacus"));
}

// With time for libraries under a sanitizer that they were not built for: with
// MLX it takes 6 s, and on busy cores a call has taken more than ten.
class BaselineOpponentTest : public Racing,
                             public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    RaceTrackOptions options = track().options();
    options.like = &track();
    options.call_timeout_ms = 120'000;
    patient_track_ = test::value_of(
        RaceTrack::open(court().bench(), track().workload(), options));
  }
  RunnerResult<RaceResult> race_patiently(Opponent& opponent) {
    const auto build = court().build(test::honest_kernel());
    const auto kernel = court().load(*build);
    RaceTrack::Request request;
    request.num_pairs = 2;
    return patient_track_->race(*kernel, opponent, request);
  }
  std::unique_ptr<RaceTrack> patient_track_;
};
INSTANTIATE_TEST_SUITE_P(All, BaselineOpponentTest,
                         ::testing::Values("mlx", "onednn"),
                         [](const auto& each) { return each.param; });

TEST_P(BaselineOpponentTest, IsRacedWhereItIsInstalled) {
  const auto baseline = patient_track_->baseline(GetParam());
  const auto side = baseline->side();
  if (!side) GTEST_SKIP() << side.error().message;
  EXPECT_EQ(baseline->name(), GetParam());
  EXPECT_NE(baseline->version(), "");
  ASSERT_EQ((*side)->arms.size(), 1U);
  if (!(*side)->arms[0]) GTEST_SKIP() << (*side)->notes[0];
  EXPECT_NE((*side)->arms[0]->path(), "");
  const auto result = race_patiently(*baseline);
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_FALSE(result->failure);
  EXPECT_EQ(result->shapes.at(0).baseline, GetParam());
  const pid_t before = (*side)->runner->pid();
  ::kill(before, SIGKILL);
#ifdef EVOKE_TSAN
  GTEST_SKIP() << "its libraries, not built for it, may hang when restarted";
#endif
  EXPECT_FALSE(race_patiently(*baseline));
  const auto again = race_patiently(*baseline);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_NE(test::value_of(baseline->side())->runner->pid(), before);
}

class RaceTrackTest : public Racing {};

TEST_F(RaceTrackTest, KnowsWhatTheMachineCanDo) {
  const Roofline roofline = track().roofline();
  EXPECT_GT(roofline.read_bytes_per_s, 1e8);
  EXPECT_GT(roofline.flops_per_s, 1e8);
  EXPECT_GT(roofline.cold_bytes, 0);
  EXPECT_EQ(track().rotation_bytes(), int64_t{4} << 20);
  const Shape shape = track().shapes()[0];
  EXPECT_GE(track().roof_us(shape, CacheState::cold),
            track().roof_us(shape, CacheState::warm));
  ASSERT_TRUE(track().remeasure_roofline());
  EXPECT_GE(track().roofline().read_bytes_per_s, roofline.read_bytes_per_s);
}

// However many processes that takes.
TEST_P(RaceTest, CallsMayBeAskedToMeetUnseenInputs) {
  RaceTrackOptions options;
  options.like = &track();
  options.min_copies = 24;
  options.max_probe_change = test::kAnyClock;
  const auto fresh = test::value_of(
      RaceTrack::open(court().bench(), test::small_workload(), options));
  const auto reference =
      test::value_of(fresh->opponent("honest", test::honest_kernel()));
  const auto build = court().build(test::honest_kernel("unseen", 11));
  const auto kernel = court().load(*build);
  const int before = court().bench().pool().num_started();
  RaceTrack::Request request;
  request.num_pairs = 6;
  request.unseen_inputs = true;
  const auto result = fresh->race(*kernel, *reference, request);
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_FALSE(result->failure) << result->failure->failure.message;
  EXPECT_EQ(result->shapes.at(0).pairs.size(), 6U);
  // The opponent's, and at least one for the candidate.
  EXPECT_GE(court().bench().pool().num_started(), before + 2);

  auto wrong = small();
  wrong.keys = "visible / 2";
  const auto wrong_build = court().build(test::make_kernel(wrong));
  const auto wrong_kernel = court().load(*wrong_build);
  const auto refused = fresh->race(*wrong_kernel, *reference, request);
  ASSERT_TRUE(refused) << refused.error().message;
  ASSERT_TRUE(refused->failure);
  EXPECT_FALSE(refused->failure->failure.changed);
}

// A clock that never holds still gives no number, and that is nobody's fault.
TEST_F(RaceTrackTest, PairsFromARestlessClockAreThrownAway) {
  RaceTrackOptions options;
  options.like = &track();
  options.max_probe_change = -1;  // which no two probes keep
  const auto restless = test::value_of(
      RaceTrack::open(court().bench(), test::small_workload(), options));
  const auto reference =
      test::value_of(restless->opponent("honest", test::honest_kernel()));
  const auto build = court().build(test::honest_kernel("restless", 9));
  const auto kernel = court().load(*build);
  RaceTrack::Request request;
  request.num_pairs = 2;
  const auto result = restless->race(*kernel, *reference, request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::unavailable);
  EXPECT_THAT(result.error().message, HasSubstr("clock"));
}

TEST_F(RaceTrackTest, NoiseIsMeasuredByRacingAKernelAgainstItself) {
  RaceTrackOptions options;
  options.rotation_bytes = int64_t{2} << 20;
  options.max_probe_change = test::kAnyClock;
  options.same_kernel_races = 2;
  options.same_kernel_pairs = 4;
  const auto own = test::value_of(RaceTrack::open(
      court().bench(), test::small_workload({128, 256}), options));
  const std::string first = own->shapes()[0].name;
  EXPECT_EQ(own->noise(false).minimum_effect(first, 8),
            0);  // nothing known yet
  const auto reference =
      test::value_of(own->opponent("honest", test::honest_kernel()));
  const auto raced = own->race_same_kernel(*reference);
  ASSERT_TRUE(raced) << raced.error().message;
  const double effect = own->noise(false).minimum_effect(first, 8);
  EXPECT_TRUE(effect >= 0);
  EXPECT_GT(own->empty_block_us(), 0);
  const double other = own->noise(false).minimum_effect("secret length", 8);
  EXPECT_GE(other, effect);
  EXPECT_GE(other, own->noise(false).minimum_effect(own->shapes()[1].name, 8));

  RaceTrackOptions like = options;
  like.like = own.get();
  const auto second = test::value_of(
      RaceTrack::open(court().bench(), test::small_workload({200}), like));
  EXPECT_EQ(second->roofline().read_bytes_per_s,
            own->roofline().read_bytes_per_s);
  EXPECT_EQ(second->rotation_bytes(), own->rotation_bytes());
  EXPECT_EQ(second->noise(false).minimum_effect(second->shapes()[0].name, 8),
            other);
}

}  // namespace
}  // namespace evoke::judge
