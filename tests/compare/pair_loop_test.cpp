#include "evoke/compare/pair_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tests/compare/samples.h"
#include "tests/support/temporary_folder.h"

namespace evoke::compare {
namespace {

using ::testing::HasSubstr;

class PairLoopTest : public ::testing::Test {
 protected:
  // Runs until `fail_after` processes have run.
  Result<void> run(int fail_after = 1'000'000) {
    auto journal = PairJournal::open(folder_.path(), Json::object());
    if (!journal) return error_of(journal);
    int runs = 0;
    return run_pairs(
        options_, *journal,
        [&](const Scenario& scenario, RunKind kind) -> Result<Json> {
          if (++runs > fail_after) return failed("killed");
          runs_.emplace_back(scenario.name, kind);
          if (kind == RunKind::agreement) return Json{{"mean_kl", 0.0}};
          return to_json(sample(20, kind == RunKind::kernel));
        });
  }
  std::vector<RunPair> pairs() const {
    return PairJournal::open(folder_.path(), Json::object())->pairs();
  }

  LoopOptions options_ = {
      .scenarios = {scenario("a"), scenario("b"), scenario("c", 400)},
      .pairs = 6};
  std::vector<std::pair<std::string, RunKind>> runs_;
  test::TemporaryFolder folder_;
};

TEST_F(PairLoopTest, RunsSidesOneAfterTheOther) {
  ASSERT_TRUE(run());
  ASSERT_EQ(runs_.size(), 3U * 6 * 2 + 3);
  std::map<std::string, int> kernel_first;
  for (std::size_t i = 0; i < 36; i += 2) {
    EXPECT_EQ(runs_[i].first, runs_[i + 1].first);
    EXPECT_NE(runs_[i].second, runs_[i + 1].second);
    if (runs_[i].second == RunKind::kernel) ++kernel_first[runs_[i].first];
  }
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(kernel_first[name], 3);
  for (std::size_t i = 36; i < 39; ++i) {
    EXPECT_EQ(runs_[i].second, RunKind::agreement);
  }
  // Scenarios alternate: one pair of each in every round.
  for (std::size_t round = 0; round < 6; ++round) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < 6; ++i) {
      seen.insert(runs_[round * 6 + i].first);
    }
    EXPECT_EQ(seen.size(), 3U);
  }
}

TEST_F(PairLoopTest, GoesOnWhereItWasKilled) {
  // After no process, within pairs, between pairs, among the agreements.
  int failures = 0;
  for (const int more : {0, 1, 2, 7, 20, 3, 1}) {
    const auto done = run(more);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "killed");
    ++failures;
  }
  ASSERT_TRUE(run());
  const std::vector<RunPair> finished = pairs();
  std::set<std::pair<std::string, int>> distinct;
  for (const RunPair& each : finished) {
    distinct.emplace(each.scenario, each.index);
  }
  EXPECT_EQ(finished.size(), 18U);
  EXPECT_EQ(distinct.size(), 18U);
  // At most one process is lost at each kill.
  EXPECT_LE(runs_.size(), 39U + failures);

  // What was chosen for each pair is what it would have been in one go.
  test::TemporaryFolder other;
  auto journal = PairJournal::open(other.path(), Json::object());
  ASSERT_TRUE(journal);
  ASSERT_TRUE(run_pairs(options_, *journal,
                        [](const Scenario&, RunKind kind) -> Result<Json> {
                          return to_json(sample(20, kind == RunKind::kernel));
                        }));
  for (std::size_t i = 0; i < finished.size(); ++i) {
    EXPECT_EQ(finished[i].scenario, journal->pairs()[i].scenario);
    EXPECT_EQ(finished[i].kernel_first, journal->pairs()[i].kernel_first);
  }
}

TEST_F(PairLoopTest, BaselineAlone) {
  options_.with_kernel = false;
  ASSERT_TRUE(run());
  EXPECT_EQ(runs_.size(), 18U);
  for (const auto& [name, kind] : runs_) EXPECT_EQ(kind, RunKind::baseline);
  for (const RunPair& each : pairs()) EXPECT_FALSE(each.kernel);
}

TEST_F(PairLoopTest, TellsWhatIsLeft) {
  std::vector<LoopProgress> seen;
  options_.progress = [&](const LoopProgress& now) { seen.push_back(now); };
  ASSERT_TRUE(run());
  ASSERT_EQ(seen.size(), 40U);  // before each process, and at the end
  EXPECT_EQ(seen.front().done, 0);
  EXPECT_EQ(seen.front().all, 39);
  EXPECT_LT(seen.front().left_s, 0);
  EXPECT_GE(seen[1].left_s, 0);
  EXPECT_EQ(seen.back().done, 39);
  EXPECT_TRUE(seen.back().scenario.empty());
  EXPECT_NEAR(seen.back().left_s, 0, 1e-6);
}

TEST_F(PairLoopTest, RefusesReportsThatAreNone) {
  auto journal = PairJournal::open(folder_.path(), Json::object());
  ASSERT_TRUE(journal);
  const auto done = run_pairs(
      options_, *journal,
      [](const Scenario&, RunKind) -> Result<Json> { return Json::object(); });
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("report of evoke_model"));
  EXPECT_TRUE(journal->pairs().empty());
}

}  // namespace
}  // namespace evoke::compare
