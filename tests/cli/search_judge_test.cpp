// A search's judge over two devices: two benches of this processor with locks
// of their own, which is what two GPUs are to it.
#include "evoke/cli/search_judge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/cli/tiny_laboratory.h"
#include "tests/support/temporary_folder.h"

namespace evoke::cli {
namespace {

constexpr int64_t kWaitMs = 120'000;

class SearchJudgeTest : public ::testing::Test {
 protected:
  SearchJudgeTest() {
    laboratory_ =
        tiny_laboratory(folder_, /*num_q_heads=*/4, /*num_kv_heads=*/2);
    laboratory_.bench = open_bench("first", nullptr);
    laboratory_.others.push_back(
        open_bench("second", laboratory_.bench->shared_cases()));
    config_.workers = 2;
    config_.timing.search_pairs = 3;
    config_.timing.rotation_bytes = int64_t{4} << 20;
    config_.timing.max_probe_change = 1e9;  // any machine will do
    seeds_ = read_seeds({}, Dialect::cpu, laboratory_.problem->signature(),
                        laboratory_.workload)
                 .value();
    seeds_.erase(seeds_.begin() + 1, seeds_.end());
  }

  std::unique_ptr<judge::Workbench> open_bench(
      const std::string& name, std::shared_ptr<judge::CasePool> cases) const {
    judge::WorkbenchOptions options;
    options.lock_folder = folder_.file(name);
    options.shared_cases = std::move(cases);
    return open_tiny_bench(folder_, *laboratory_.problem, options);
  }

  test::TemporaryFolder folder_;
  Laboratory laboratory_;
  RunConfig config_;
  std::vector<SeedKernel> seeds_;
};

TEST_F(SearchJudgeTest, HasEverythingOnEachDeviceAndJudgesOnBoth) {
  std::vector<std::string> said;
  const auto judge = open_search_judge(
      std::move(laboratory_), config_, seeds_, std::nullopt,
      [&](const std::string& what) { said.push_back(what); },
      [](const std::string&) {});
  ASSERT_EQ(judge->devices.size(), 2u);
  const SearchDevice& first = *judge->devices[0];
  const SearchDevice& second = *judge->devices[1];
  EXPECT_NE(first.bench.lock().path(), second.bench.lock().path());
  EXPECT_EQ(&first.bench.cases(), &second.bench.cases());
  EXPECT_EQ(first.track->rotation_bytes(), second.track->rotation_bytes());
  EXPECT_EQ(&judge->in_service(), &first);
  // What is measured is measured on each.
  EXPECT_GT(second.track->roofline().read_bytes_per_s, 0);
  EXPECT_NE(&first.track->noise(false), &second.track->noise(false));
  EXPECT_EQ(std::count_if(said.begin(), said.end(),
                          [](const std::string& what) {
                            return what.ends_with("making inputs");
                          }),
            1);

  const Json facts = judge->conditions(config_);
  ASSERT_EQ(facts["devices"].size(), 2u);
  double largest = 0;
  for (const Json& each : facts["devices"]) {
    EXPECT_EQ(each["kind"], "cpu");
    EXPECT_GT(each["read_GB_per_s"].get<double>(), 0);
    largest = std::max(largest, each["minimum_effect"].begin()->get<double>());
  }
  EXPECT_EQ(facts["minimum_effect"].begin()->get<double>(), largest);

  const int before = second.bench.pool().num_started();
  constexpr int kRequests = 4;
  for (int i = 0; i < kRequests; ++i) {
    EvaluationRequest request;
    request.purpose = EvaluationPurpose::remeasure;
    request.candidate.id = i + 1;
    request.candidate.text = seeds_[0].source.text();
    judge->evaluator->submit(request);
  }
  for (int i = 0; i < kRequests; ++i) {
    const auto outcome = judge->evaluator->wait(kWaitMs);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->kind, OutcomeKind::measured) << outcome->message;
  }
  EXPECT_GT(second.bench.pool().num_started(), before);
}

}  // namespace
}  // namespace evoke::cli
