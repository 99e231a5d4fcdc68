#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <vector>

#include "evoke/report/render.h"
#include "evoke/report/svg.h"
#include "evoke/report/tables.h"
#include "tests/store/support.h"

namespace evoke {
namespace {

using test::make_step;
using test::TemporaryFolder;

constexpr const char* kKernel = R"(/*evoke
problem = "attention"
[parameters]
tile = { value = %, choices = [32, 64, 128] }
[[variant]]
name = "all"
when = "1"
[[variant.launch]]
kernel = "run"
reads = ["query"]
writes = ["output"]
threadgroups = [1]
evoke*/
// <script>alert("kernel")</script>
KERNEL(run) {}
)";

std::string kernel_text(const std::string& tile) {
  std::string text = kKernel;
  return text.replace(text.find('%'), 1, tile);
}

ShapeMeasurement measured(const std::string& shape, const std::string& against,
                          double speedup, SpeedVerdict verdict) {
  ShapeMeasurement result;
  result.shape = shape;
  result.baseline = against;
  result.pairs = {{speedup * 100, 100}};
  result.candidate_us = 100;
  result.baseline_us = speedup * 100;
  result.speedup = speedup;
  result.speedup_low = speedup * 0.98;
  result.speedup_high = speedup * 1.02;
  result.roof_us = 40;
  result.verdict = verdict;
  return result;
}

// A founder, a child that is confirmed, a failure with hostile text.
void fill(RunStore& store) {
  Step founder = make_step(1);
  founder.candidate.text = kernel_text("64");
  founder.candidate.parents = {};
  founder.candidate.generation = 0;
  founder.effects = {
      {"elite", {{"candidate", 1}, {"island", 0}, {"cell", {2, 3}}}}};
  store.record(founder);
  Step child = make_step(2);
  child.candidate.text = kernel_text("128");
  child.candidate.parents = {1};
  child.candidate.generation = 1;
  child.outcome.details["device"] = "GPU-07c1";
  child.candidate.summary = "tile 64 -> 128 </script><img src=x onerror=1>";
  child.effects = {
      {"elite", {{"candidate", 2}, {"island", 0}, {"cell", {4, 3}}}}};
  store.record(child);
  Step failure = make_step(3);
  failure.outcome.message = "</pre><script>alert(1)</script>";
  store.record(failure);
  Step confirmation = child;
  confirmation.sequence = 4;
  confirmation.purpose = EvaluationPurpose::confirm;
  confirmation.outcome.kind = OutcomeKind::confirmed;
  confirmation.outcome.stage = Stage::confirm;
  confirmation.outcome.details["device"] = "GPU-8f2a";
  confirmation.outcome.fitness = Fitness{1.25, 1.2, 1.3};
  confirmation.outcome.measurements = Measurements{
      {measured("decode-256", "seed", 1.25, SpeedVerdict::faster),
       measured("prefill-64", "seed", 1.0, SpeedVerdict::cannot_tell),
       measured("decode-256", "mlx", 9.0, SpeedVerdict::faster)},
      {}};
  confirmation.effects = {{"best", {{"candidate", 2}, {"fitness", 1.25}}}};
  store.record(confirmation);
  ASSERT_TRUE(store.set_fact("reference", {{"name", "seed"}}));
  ASSERT_TRUE(store.set_fact(
      "axes", Json::array({{{"name", "balance"}, {"bins", 8}},
                           {{"name", "threadgroup_bytes"}, {"bins", 8}}})));
}

RunReport example(const TemporaryFolder& folder) {
  auto store = RunStore::create(folder / "run", {});
  EXPECT_TRUE(store.has_value());
  fill(**store);
  auto report = read_report(**store);
  EXPECT_TRUE(report.has_value());
  return *report;
}

TEST(Report, ARevokedBestIsNoBest) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  fill(**store);
  Step revoked = *(*store)->best();
  revoked.sequence = 5;
  revoked.purpose = EvaluationPurpose::remeasure;
  revoked.outcome.kind = OutcomeKind::crashed;
  revoked.outcome.fitness.reset();
  revoked.effects = {{"best_revoked", {{"candidate", 2}, {"best", 0}}}};
  (*store)->record(revoked);
  const auto report = read_report(**store);
  ASSERT_TRUE(report.has_value());
  EXPECT_FALSE(report->best.has_value());
  EXPECT_EQ(report->headline(), "No kernel was confirmed.");
}

TEST(Report, SaysWhatWasConfirmedAgainstWhatAndWhere) {
  const TemporaryFolder folder;
  const RunReport report = example(folder);
  EXPECT_EQ(report.headline(),
            "Kernel #2 is confirmed at 1.250x [1.200, 1.300] of the best seed "
            "(seed), faster on 1 of 2 shapes.");
  ASSERT_EQ(report.best_over_time.size(), 1u);
  ASSERT_EQ(report.lineage.size(), 2u);
  EXPECT_EQ(report.lineage[0].id, 1);
  ASSERT_EQ(report.genes.size(), 1u);
  EXPECT_EQ(report.genes[0].name, "tile");
  EXPECT_EQ(report.genes[0].founder, 64);
  EXPECT_EQ(report.genes[0].best, 128);
  EXPECT_EQ(report.cells.size(), 2u);
  ASSERT_EQ(report.devices.size(), 2u);
  EXPECT_EQ(report.devices.at("GPU-07c1").judged, 1);
  EXPECT_EQ(report.devices.at("GPU-8f2a").confirmed, 1);
  EXPECT_EQ(to_json(report)["devices"]["GPU-07c1"]["confirmed"], 0);
  for (const std::string& text : {to_html(report), to_markdown(report)}) {
    EXPECT_NE(text.find("GPU-8f2a"), std::string::npos);
  }
}

TEST(Report, AnEmptyRunIsReportedToo) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  const auto report = read_report(**store);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->headline(), "No kernel was confirmed.");
  EXPECT_NE(to_html(*report).find("No kernel was confirmed."),
            std::string::npos);
}

TEST(Report, AConfirmedFounderIsNoBetterKernel) {
  RunReport report;
  report.reference = "seed";
  Step best = make_step(1);
  best.candidate.generation = 0;
  best.outcome.fitness = Fitness{1.0, 0.99, 1.01};
  report.best = best;
  EXPECT_NE(report.headline().find("No better kernel found"),
            std::string::npos);
}

TEST(Report, HtmlNeverCarriesCandidateMarkup) {
  const TemporaryFolder folder;
  const std::string html = to_html(example(folder));
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find("http://www.w3.org/2000/svg"),
            html.find("http://"));  // no other address
  EXPECT_NE(html.find("&lt;script&gt;"), std::string::npos);
}

// Every element that is opened is closed, in order.
TEST(Report, HtmlIsWellFormed) {
  const TemporaryFolder folder;
  const std::string html = to_html(example(folder));
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos;
       at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const bool closing = html[at + 1] == '/';
    std::size_t stop = at + 1 + closing;
    while (std::isalnum(static_cast<unsigned char>(html[stop]))) ++stop;
    const std::string name =
        html.substr(at + 1 + closing, stop - at - 1 - closing);
    if (name.empty() || name == "meta" || html[end - 1] == '/') continue;
    if (!closing) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << name;
      ASSERT_EQ(open.back(), name);
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(Report, NeverShowsMlxAloneWithoutSayingSo) {
  const TemporaryFolder folder;
  const RunReport report = example(folder);
  EXPECT_NE(to_html(report).find("without vector code"), std::string::npos);
  EXPECT_NE(to_markdown(report).find("without vector code"), std::string::npos);
  Measurements both = *report.best->outcome.measurements;
  both.shapes.push_back(
      measured("decode-256", "onednn", 1.1, SpeedVerdict::faster));
  EXPECT_EQ(baseline_caveat(both), "");
}

TEST(Report, JsonHoldsTheSameNumbers) {
  const TemporaryFolder folder;
  const Json json = to_json(example(folder));
  EXPECT_EQ(json["best_over_time"][0]["fitness"], 1.25);
  EXPECT_EQ(json["counts"]["incorrect"], 1);
  EXPECT_EQ(json["genes"][0]["best"], 128);
  EXPECT_NE(json["best_kernel"].get<std::string>().find("KERNEL(run)"),
            std::string::npos);
}

TEST(Tables, AlignByDisplayWidth) {
  const TextTable table{{"a", "b"}, {{"é", "1"}, {"xx", "100"}}};
  EXPECT_EQ(to_text(table), "a     b\né     1\nxx  100\n");
}

TEST(Tables, SayWhereTheCodeIsTheSame) {
  ShapeMeasurement shape;
  shape.shape = "decode-1024";
  shape.baseline = "parent";
  shape.same_code = true;
  const std::string text = to_text(measurement_table({shape}));
  EXPECT_NE(text.find("same code"), std::string::npos);
  EXPECT_EQ(text.find("cannot tell"), std::string::npos);
}

TEST(Tables, SayWhatWasNotMeasured) {
  ShapeMeasurement shape;
  shape.shape = "prefill-2048";
  shape.baseline = "mlx";
  const std::string text = to_text(measurement_table({shape}));
  EXPECT_NE(text.find("not measured"), std::string::npos);
  EXPECT_EQ(text.find("faster"), std::string::npos);
}

TEST(Svg, SurvivesEmptyAndSinglePlots) {
  EXPECT_EQ(bar_plot({}), "");
  EXPECT_NE(progress_plot({}, {}, 0, "s", "y").find("</svg>"),
            std::string::npos);
  EXPECT_EQ(heat_map({}, 0, 0, "x", "y"), "");
  EXPECT_NE(heat_map({{0, 0, 1, "1"}}, 1, 1, "x", "y").find("</svg>"),
            std::string::npos);
}

}  // namespace
}  // namespace evoke
