#include "evoke/attention/selftest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evoke/attention/mutants.h"

namespace evoke::attention {
namespace {

using testing::HasSubstr;

#if defined(EVOKE_ASAN) || defined(EVOKE_TSAN)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// The claim of the whole gate: every wrong kernel is rejected in each variant,
// no honest one ever.
TEST(Selftest, RejectsEveryMutantAndNoHonestForm) {
  if (kSanitized) GTEST_SKIP() << "too slow under a sanitizer";
  SelftestOptions options;
  options.num_threads = 2;
  const SelftestReport report = run_selftest(options);
  EXPECT_TRUE(report.passed) << to_text(report);
  EXPECT_LT(report.honest_worst, 1.0);
  EXPECT_GT(report.mutant_weakest, 1.5) << report.weakest_mutant;
  std::vector<std::string> left;
  for (const SelftestRow& row : report.rows) {
    if (row.kind == SelftestKind::policy) continue;
    EXPECT_TRUE(row.survives.empty()) << row.name;
    if (row.state == SelftestState::full_list_only) {
      left.push_back(row.name);
      continue;
    }
    EXPECT_GT(row.cells[0].total, 0) << row.name << " was never tried";
  }
  EXPECT_THAT(left, testing::UnorderedElementsAre(
                        "rows from 512 on see the mask of row 511",
                        "every second key beyond 6,000"));
}

// Small cases only: what the report holds, under sanitizers too.
TEST(Selftest, ReportsEveryKernelUnderEveryGate) {
  SelftestOptions options;
  options.random_mutants = 3;
  options.max_key_rows = 1200;
  options.num_threads = 2;
  const SelftestReport report = run_selftest(options);
  EXPECT_GE(report.rows.size(), 22 + known_mutants().size() + 3);
  EXPECT_GT(report.gate_cases, 0);
  EXPECT_GE(report.full_cases, report.gate_cases);
  for (const SelftestRow& row : report.rows) {
    ASSERT_EQ(row.cells.size(), report.columns.size());
    const bool honest = row.kind == SelftestKind::honest_member ||
                        row.kind == SelftestKind::honest_outsider;
    if (!honest) continue;
    EXPECT_EQ(row.cells[0].accepted, report.gate_cases) << row.name;
    EXPECT_EQ(row.cells[1].accepted, report.full_cases) << row.name;
  }
  const std::string text = to_text(report);
  const std::string markdown = to_markdown(report);
  for (const char* part : {"drop last key", "KernelBench", "random 2: "}) {
    EXPECT_THAT(text, HasSubstr(part));
    EXPECT_THAT(markdown, HasSubstr(part));
  }
  const Json json = to_json(report);
  EXPECT_EQ(json.at("rows").size(), report.rows.size());
  EXPECT_EQ(json.at("passed"), report.passed);
  EXPECT_EQ(json.at("rows").at(0).at("cells").at("gate").at("total"),
            report.gate_cases);
}

// A mutant that no case gets to be wrong on is not one that was rejected.
TEST(Selftest, FailsOnAMutantThatNoCaseTries) {
  SelftestOptions options;
  options.random_mutants = 1;
  options.max_key_rows = 300;  // no two batches, few keys
  const SelftestReport report = run_selftest(options);
  EXPECT_FALSE(report.passed);
  int not_tried = 0;
  for (const SelftestRow& row : report.rows) {
    if (row.state == SelftestState::not_tried) {
      ++not_tried;
      EXPECT_EQ(row.cells[0].total, 0) << row.name;
      EXPECT_THAT(report.verdict, HasSubstr(row.name));
    }
    if (row.name == "key and value of batch 0") {
      EXPECT_EQ(row.state, SelftestState::not_tried);
    }
  }
  EXPECT_GT(not_tried, 0);
  EXPECT_THAT(report.verdict, HasSubstr("not tried: "));
  EXPECT_THAT(to_text(report), HasSubstr("not tried"));
  EXPECT_THAT(to_markdown(report), HasSubstr("| not tried |"));
  EXPECT_THAT(to_json(report).dump(), HasSubstr("\"state\":\"not tried\""));
}

TEST(Selftest, RepeatsWithTheSeed) {
  SelftestOptions options;
  options.random_mutants = 2;
  options.max_key_rows = 300;
  Json one = to_json(run_selftest(options));
  options.num_threads = 2;
  Json two = to_json(run_selftest(options));
  one.erase("elapsed_s");
  two.erase("elapsed_s");
  EXPECT_EQ(one, two);
}

}  // namespace
}  // namespace evoke::attention
