// The self-test with real kernels, on the cpu, through the real judge: a
// handful of them, on a workload small enough for seconds.
#include "evoke/cli/kernel_selftest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/cli/tiny_laboratory.h"
#include "tests/support/temporary_folder.h"

namespace evoke::cli {
namespace {

using attention::SelftestState;

class KernelSelftestTest : public ::testing::Test {
 protected:
  KernelSelftestTest() {
    laboratory_ =
        tiny_laboratory(folder_, /*num_q_heads=*/8, /*num_kv_heads=*/8);
    laboratory_.bench = open_tiny_bench(folder_, *laboratory_.problem);
  }

  KernelSelftestReport run(std::vector<std::string> names) {
    KernelSelftestOptions options;
    options.num_workers = 2;
    options.only = std::move(names);
    options.progress = [this](int done, int all) {
      EXPECT_EQ(done, ++num_done_);
      EXPECT_GE(all, done);
    };
    return run_kernel_selftest(laboratory_, options);
  }
  static SelftestState state_of(const KernelSelftestReport& report,
                                const std::string& name) {
    for (const KernelSelftestRow& row : report.rows) {
      if (row.mutant.name == name) return row.state;
    }
    return SelftestState::not_tried;
  }

  test::TemporaryFolder folder_;
  Laboratory laboratory_;
  int num_done_ = 0;
};

TEST_F(KernelSelftestTest, TellsHonestKernelsFromWrongOnes) {
  const std::vector<std::string> wrong = {
      "drop last key",
      "fp8 K and V",
      "no max subtraction",
      "key and value taken for contiguous",
      "an element written behind the output",
      "scratch taken for zero"};
  std::vector<std::string> names = wrong;
  names.emplace_back("three passes, fp32 P");
  const KernelSelftestReport report = run(names);
  EXPECT_TRUE(report.passed) << report.verdict;
  EXPECT_EQ(report.rows.size(), names.size());
  EXPECT_EQ(num_done_, static_cast<int>(names.size()));
  EXPECT_EQ(state_of(report, "three passes, fp32 P"), SelftestState::accepted);
  for (const std::string& name : wrong) {
    EXPECT_EQ(state_of(report, name), SelftestState::rejected) << name;
  }
  EXPECT_EQ(report.inputs, (std::vector<std::string>{"blend", "needle"}));
  for (const KernelSelftestRow& row : report.rows) {
    int total = 0;
    int accepted = 0;
    for (const auto& [input, cell] : row.cells) {
      total += cell.total;
      accepted += cell.accepted;
    }
    EXPECT_GE(total, 4) << row.mutant.name;
    EXPECT_EQ(accepted == total, row.mutant.honest) << row.mutant.name;
    if (row.mutant.name == "an element written behind the output") {
      EXPECT_TRUE(row.failures.contains("out_of_bounds")) << row.message;
    }
  }
  const Json json = to_json(report);
  EXPECT_EQ(json["rows"].size(), names.size());
  EXPECT_NE(to_text(report).find("drop last key"), std::string::npos);
  EXPECT_NE(to_markdown(report).find("| drop last key | rejected |"),
            std::string::npos);
}

// Decode of 200 keys is blind to what only a mask or a longer row shows: a
// matrix in which some wrong kernel passes has not passed.
TEST_F(KernelSelftestTest, FailsWhenAWrongKernelPasses) {
  const KernelSelftestReport report =
      run({"three passes, bf16 P", "no mask", "every second key beyond 6,000"});
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(state_of(report, "no mask"), SelftestState::survives);
  EXPECT_EQ(state_of(report, "every second key beyond 6,000"),
            SelftestState::full_list_only);
  EXPECT_NE(report.verdict.find("FAILED"), std::string::npos);
  EXPECT_NE(report.verdict.find("survives: no mask"), std::string::npos);
}

TEST_F(KernelSelftestTest, RefusesNamesThatItDoesNotKnow) {
  EXPECT_THROW(run({"no such fault"}), UsageError);
}

}  // namespace
}  // namespace evoke::cli
