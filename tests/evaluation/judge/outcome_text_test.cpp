#include "evoke/evaluation/judge/outcome_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "evoke/evaluation/judge/fault_outcome.h"
#include "evoke/evaluation/judge/process.h"

namespace evoke::judge {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = RunnerFault::Kind;

ShapeMeasurement shape_of(const std::string& name, const std::string& baseline,
                          CacheState state) {
  ShapeMeasurement shape;
  shape.shape = name;
  shape.baseline = baseline;
  shape.cache_state = state;
  shape.pairs = {{200, 100}};
  shape.candidate_us = 100;
  shape.speedup = 2;
  shape.roof_us = 50;
  shape.verdict = SpeedVerdict::faster;
  return shape;
}

TEST(DescribeMeasurements, NamesColdShapesAgainstTheReference) {
  Measurements measurements;
  measurements.shapes = {shape_of("decode-256", "seed", CacheState::cold),
                         shape_of("decode-512", "seed", CacheState::warm),
                         shape_of("decode-1024", "mlx", CacheState::cold)};
  const std::string text = describe(measurements, {2, 1.9, 2.1});
  EXPECT_THAT(text, HasSubstr("2.000 x seed (1.900 to 2.100)"));
  EXPECT_THAT(text, HasSubstr("decode-256 2.000 x, faster, 50 % of roof"));
  EXPECT_THAT(text, Not(HasSubstr("decode-512")));
  EXPECT_THAT(text, Not(HasSubstr("decode-1024")));
  EXPECT_EQ(describe({}, {}), "not timed");
}

TEST(CaseResults, BecomeRowsThatSayWhatWasWrong) {
  CaseResult right;
  right.label = "decode-1/normal/cache";
  CaseResult wrong;
  wrong.label = "decode-2/needle/cache";
  wrong.failure = OutcomeKind::incorrect;
  wrong.message = "row 3 is wrong";
  const Json rows = to_json(std::vector<CaseResult>{right, wrong});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("right"), true);
  EXPECT_FALSE(rows[0].contains("message"));
  EXPECT_EQ(rows[1].at("outcome"), "incorrect");
  EXPECT_EQ(rows[1].at("message"), "row 3 is wrong");
}

// Only what a candidate's own code did is held against it.
TEST(OutcomeOfFault, TellsTheCandidateFromTheMachine) {
  EXPECT_EQ(outcome_of(Kind::died), OutcomeKind::crashed);
  EXPECT_EQ(outcome_of(Kind::out_of_memory), OutcomeKind::crashed);
  EXPECT_EQ(outcome_of(Kind::garbage), OutcomeKind::crashed);
  EXPECT_EQ(outcome_of(Kind::timed_out), OutcomeKind::timed_out);
  for (const Kind kind : {Kind::refused, Kind::cancelled, Kind::unavailable}) {
    EXPECT_EQ(outcome_of(kind), OutcomeKind::infrastructure_failed);
  }
}

TEST(DescribeSignal, SaysWhatItMeansForAKernel) {
  EXPECT_THAT(describe_signal(SIGSEGV), HasSubstr("memory access"));
  EXPECT_THAT(describe_signal(SIGSYS), HasSubstr("system call"));
  EXPECT_THAT(describe_signal(SIGUSR1), HasSubstr("10"));
}

TEST(PrivateMemory, CountsThisProcessAndNoDeadOne) {
#ifdef __linux__
  EXPECT_GT(private_memory_bytes(::getpid()), 0);
#endif
  EXPECT_EQ(private_memory_bytes(999'999'999), 0);
}

}  // namespace
}  // namespace evoke::judge
