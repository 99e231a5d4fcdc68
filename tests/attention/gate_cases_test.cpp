#include "evoke/attention/gate_cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "evoke/attention/inputs.h"
#include "evoke/attention/layouts.h"
#include "evoke/attention/workload.h"

namespace evoke::attention {
namespace {

// A kernel file with the given variants and a tile parameter.
KernelSource kernel(const std::string& variants, int tile = 48) {
  const std::string text =
      "/*evoke\nproblem = \"attention\"\n[parameters]\n"
      "tile_kv = { value = " +
      std::to_string(tile) + ", choices = [" + std::to_string(tile) + "] }\n" +
      variants + "evoke*/\nKERNEL(k) {}\n";
  auto parsed = KernelSource::parse(text, Dialect::cpu, "k.cpp");
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return *parsed;
}

std::string variant(const std::string& name, const std::string& when,
                    const std::string& more = {}) {
  return "[[variant]]\nname = \"" + name + "\"\nwhen = \"" + when + "\"\n" +
         more +
         "[[variant.launch]]\nkernel = \"k\"\nreads = [\"query\", \"key\", "
         "\"value\"]\nwrites = [\"output\"]\nthreadgroups = [1, 1, 1]\n"
         "threads = [1, 1, 1]\n";
}

std::vector<GateCase> cases_of(const KernelSource& source, GateLevel level,
                               const std::string& workload = "quick") {
  return make_gate_cases(reach_of(source), *find_workload(workload), level);
}

const std::string kTwoVariants =
    variant("decode", "Lq == 1") + variant("prefill", "Lq > 1");

TEST(ReachOf, FindsVariantsAndTiles) {
  const KernelReach reach = reach_of(kernel(
      variant("short", "Lq == 1 && Lk < 10 * tile_kv") +
      variant("long", "Lq == 1", "[variant.parameters]\ntile_kv = 48\n")));
  EXPECT_EQ(reach.tiles, std::vector<int64_t>{48});
  AttentionShape shape;
  shape.Lk = 479;
  EXPECT_EQ(reach.variant_of(shape), 0U);
  shape.Lk = 480;
  EXPECT_EQ(reach.variant_of(shape), 1U);
  shape.Lq = 2;
  EXPECT_EQ(reach.variant_of(shape), std::nullopt);
}

TEST(GateCases, OnlyShapesThatAVariantTakes) {
  const KernelSource source = kernel(variant("v", "Lq == 1 && Lk >= 100"));
  const KernelReach reach = reach_of(source);
  for (const GateLevel level :
       {GateLevel::screen, GateLevel::gate, GateLevel::full}) {
    const auto cases = cases_of(source, level);
    EXPECT_FALSE(cases.empty());
    for (const GateCase& each : cases) {
      EXPECT_TRUE(reach.variant_of(from_shape(each.shape))) << each.label();
      EXPECT_TRUE(is_input_name(each.input));
      EXPECT_TRUE(check(from_shape(each.shape)));
    }
  }
}

TEST(GateCases, EveryTimedShapeIsInTheGateUnderItsName) {
  for (const std::string& workload : workload_names()) {
    std::set<std::string> names;
    for (const GateCase& each :
         cases_of(kernel(kTwoVariants), GateLevel::gate, workload)) {
      names.insert(each.shape.name);
    }
    const Workload timed = *find_workload(workload);
    for (const auto& each : timed.shapes) {
      EXPECT_TRUE(names.contains(each.shape.name)) << each.shape.name;
    }
  }
}

TEST(GateCases, TheGateReachesBelowBesideAndBeyondEachVariant) {
  struct Seen {
    int64_t least = 1 << 30, most = 0;
    bool edge = false, batch = false, uneven = false;
    std::set<std::string> inputs, layouts;
  };
  std::map<bool, Seen> seen;  // by Lq == 1
  for (const GateCase& each : cases_of(kernel(kTwoVariants), GateLevel::gate)) {
    const AttentionShape shape = from_shape(each.shape);
    Seen& mine = seen[shape.Lq == 1];
    mine.least = std::min(mine.least, shape.Lk);
    mine.most = std::max(mine.most, shape.Lk);
    mine.edge |= shape.Lk % 48 == 1 || shape.Lk % 48 == 47;
    mine.batch |= shape.B == 3;
    mine.uneven |= shape.causal && shape.Lq != shape.Lk;
    mine.inputs.insert(each.input);
    mine.layouts.insert(each.layout);
  }
  for (const bool decode : {true, false}) {
    const Seen& mine = seen[decode];
    EXPECT_EQ(mine.least, decode ? 1 : 2);
    EXPECT_GT(mine.most, decode ? 4096 : 2000);
    EXPECT_TRUE(mine.edge);
    EXPECT_TRUE(mine.batch);
    EXPECT_EQ(mine.uneven, !decode);
    EXPECT_THAT(mine.inputs, testing::ElementsAre("blend", "needle"));
    EXPECT_EQ(mine.layouts.size(), 3U);
  }
}

TEST(GateCases, TheGateOfQuickIsCheap) {
  double flops = 0, bytes = 0;
  for (const GateCase& each : cases_of(kernel(kTwoVariants), GateLevel::gate)) {
    const AttentionShape shape = from_shape(each.shape);
    flops += 512.0 * static_cast<double>(shape.key_rows());
    bytes += 4.0 * static_cast<double>(shape.B * shape.Hkv * shape.Lk * 128);
  }
  EXPECT_LT(flops, 0.5e9);
  EXPECT_LT(bytes, 120e6);
}

TEST(GateCases, ScreenIsOneCasePerTimedVariant) {
  const auto cases = cases_of(kernel(kTwoVariants), GateLevel::screen);
  ASSERT_EQ(cases.size(), 2U);
  for (const GateCase& each : cases) {
    EXPECT_LE(from_shape(each.shape).key_rows(), 40'000);
  }
}

TEST(GateCases, FullContainsTheGateAndTheListOfLengths) {
  std::set<std::string> full;
  std::set<std::pair<int64_t, int64_t>> shapes;
  std::set<std::string> inputs_at_4096;
  for (const GateCase& each : cases_of(kernel(kTwoVariants), GateLevel::full)) {
    EXPECT_TRUE(full.insert(each.label()).second) << each.label();
    const AttentionShape shape = from_shape(each.shape);
    shapes.insert({shape.Lq, shape.Lk});
    if (each.shape.name == "decode-4096") inputs_at_4096.insert(each.input);
  }
  for (const GateCase& each : cases_of(kernel(kTwoVariants), GateLevel::gate)) {
    EXPECT_TRUE(full.contains(each.label())) << each.label();
  }
  EXPECT_EQ(inputs_at_4096.size(), input_names().size());
  for (const int64_t length :
       {1,   2,    3,    31,   32,   33,   63, 64, 65, 127, 128, 129,
        130, 1023, 1024, 1025, 2055, 4097, 47, 49, 97, 239, 241}) {
    EXPECT_TRUE(shapes.contains({1, length})) << length;
  }
  for (const auto& shape : {std::pair<int64_t, int64_t>{7, 2055},
                            {2, 2},
                            {64, 65},
                            {513, 513},
                            {7, 33}}) {
    EXPECT_TRUE(shapes.contains(shape)) << shape.first << "x" << shape.second;
  }
}

TEST(GateCases, AVariantThatIsNotTimedIsCheckedInFullOnly) {
  const KernelSource source =
      kernel(variant("tiny", "Lq == 1 && Lk < 64") + kTwoVariants);
  const auto has_tiny = [&](GateLevel level) {
    const auto cases = cases_of(source, level);
    return std::any_of(cases.begin(), cases.end(), [](const GateCase& each) {
      const AttentionShape shape = from_shape(each.shape);
      return shape.Lq == 1 && shape.Lk < 64;
    });
  };
  EXPECT_FALSE(has_tiny(GateLevel::screen));
  EXPECT_FALSE(has_tiny(GateLevel::gate));
  EXPECT_TRUE(has_tiny(GateLevel::full));
}

TEST(GateCases, AShapeWithoutVariantIsLeftOut) {
  const auto cases =
      cases_of(kernel(variant("decode", "Lq == 1")), GateLevel::full);
  EXPECT_FALSE(cases.empty());
  for (const GateCase& each : cases) {
    EXPECT_EQ(from_shape(each.shape).Lq, 1);
  }
}

TEST(GateCases, DoNotDependOnTheSourceText) {
  const KernelSource source = kernel(kTwoVariants);
  const auto labels = [](const std::vector<GateCase>& cases) {
    std::vector<std::string> result;
    for (const GateCase& each : cases) result.push_back(each.label());
    return result;
  };
  EXPECT_EQ(labels(cases_of(source, GateLevel::full)),
            labels(cases_of(kernel(kTwoVariants), GateLevel::full)));
}

}  // namespace
}  // namespace evoke::attention
