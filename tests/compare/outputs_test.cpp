#include "evoke/compare/outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "evoke/base/fd.h"
#include "tests/compare/samples.h"
#include "tests/support/temporary_folder.h"

namespace evoke::compare {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<RunPair> pairs(double ratio) {
  std::vector<RunPair> result;
  for (int i = 0; i < 8; ++i) {
    const double drift = 1 + 0.01 * (i % 3);
    for (const char* name : {"a", "b"}) {
      result.push_back(pair(name, i, 20 * drift, 20 * drift * ratio));
    }
  }
  return result;
}

Comparison comparison(const std::vector<RunPair>& given) {
  return compare_pairs({scenario("a"), scenario("b")}, given,
                       {{"a",
                         {{"positions", 32},
                          {"same_token", 31},
                          {"mean_kl", 2.5e-5},
                          {"max_kl", 4e-4}}}},
                       kHash);
}

Conditions conditions() {
  return {.command = "evoke compare --kernel k.cpp",
          .machine = "a machine",
          .model = "m",
          .dtype = "bfloat16",
          .device = "cpu",
          .kernel = "k.cpp",
          .kernel_hash = kHash};
}

TEST(Outputs, AreFiles) {
  const test::TemporaryFolder folder;
  const auto names =
      write_outputs(folder.path(), comparison(pairs(1.5)), conditions());
  ASSERT_TRUE(names) << names.error().message;
  for (const std::string& name : *names) {
    EXPECT_TRUE(read_file(folder.file(name))) << name;
  }
  const Json json = Json::parse(*read_file(folder.file("results.json")));
  EXPECT_EQ(json["scenarios"].size(), 2U);
  EXPECT_EQ(json["scenarios"][0]["generation"]["verdict"], "faster");
  EXPECT_NEAR(json["generation_overall"]["speedup"]["median"], 1.5, 1e-6);
  const std::string svg = *read_file(folder.file("generation.svg"));
  EXPECT_TRUE(svg.starts_with("<svg "));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_THAT(svg, HasSubstr("xmlns="));
  EXPECT_THAT(svg, HasSubstr("<style>"));
  EXPECT_THAT(svg, HasSubstr("50 ms"));  // 20 tokens/s
}

TEST(Outputs, CsvHasAsManyCellsInEveryRow) {
  std::vector<RunPair> refused = pairs(1.5);
  // A comma inside a message does not make a cell.
  refused[0].kernel->attestation.kernel_hash = "x,y";
  const std::string csv = to_csv(comparison(refused));
  std::vector<std::size_t> cells;
  std::size_t count = 1;
  bool quoted = false;
  for (const char c : csv) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted) ++count;
    if (c != '\n') continue;
    cells.push_back(count);
    count = 1;
  }
  ASSERT_EQ(cells.size(), 3U);
  EXPECT_EQ(cells[0], 30U);
  EXPECT_EQ(cells[1], cells[0]);
  EXPECT_EQ(cells[2], cells[0]);
}

TEST(Outputs, MarkdownTellsHowItWasMade) {
  const std::string text = to_markdown(comparison(pairs(1.5)), conditions());
  for (const char* part :
       {"evoke compare --kernel k.cpp", "a machine", "1.500x", "faster",
        "31 of 32", "2.5e-05", "4 of 11", "0.2 %", "(generation.svg)"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("Refused")));
}

TEST(Outputs, PrintNoSpeedUpThatIsRefused) {
  std::vector<RunPair> given = pairs(1.5);
  for (RunPair& each : given) {
    each.kernel->attestation.dispatches.clear();
    each.kernel->attestation.prompt.dispatched = 0;
    each.kernel->attestation.decode.dispatched = 0;
  }
  const Comparison refused = comparison(given);
  for (const std::string& text :
       {to_markdown(refused, conditions()), to_text(refused, conditions()),
        to_csv(refused), to_json(refused, conditions()).dump()}) {
    EXPECT_THAT(text, Not(HasSubstr("1.5")));
    EXPECT_THAT(text, Not(HasSubstr("faster")));
    EXPECT_THAT(text, HasSubstr("the kernel ran 0 times"));
  }
  EXPECT_THAT(to_text(refused, conditions()),
              HasSubstr("No speed-up is stated"));
}

}  // namespace
}  // namespace evoke::compare
