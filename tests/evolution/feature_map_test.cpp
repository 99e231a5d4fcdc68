#include "evoke/evolution/feature_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "evoke/base/error.h"

namespace evoke {
namespace {

FeatureAxisConfig axis(std::string name, double low, double high, int bins,
                       bool log_scale = false) {
  return {std::move(name), low, high, bins, log_scale};
}

TEST(FeatureMap, CutsARangeIntoEqualBins) {
  const FeatureMap map({axis("x", -2, 2, 4)});
  const auto cell = [&](double x) { return map.cell_of({{"x", x}}); };
  EXPECT_EQ(cell(-2), 0);
  EXPECT_EQ(cell(-1.01), 0);
  EXPECT_EQ(cell(-1), 1);
  EXPECT_EQ(cell(0), 2);
  EXPECT_EQ(cell(1.99), 3);
}

TEST(FeatureMap, ClampsAtBothEnds) {
  const FeatureMap map({axis("x", 1, 1024, 10, true)});
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double x : {-kInfinity, -5.0, 0.0, 1.0, std::nan("")}) {
    EXPECT_EQ(map.cell_of({{"x", x}}), 0) << x;
  }
  for (const double x : {1024.0, 1e9, kInfinity}) {
    EXPECT_EQ(map.cell_of({{"x", x}}), 9) << x;
  }
}

TEST(FeatureMap, LogScaleGivesEveryOctaveABin) {
  const FeatureMap map({axis("bytes", 256, 256 * 1024, 10, true)});
  for (int octave = 0; octave < 10; ++octave) {
    EXPECT_EQ(map.cell_of({{"bytes", 300.0 * (1 << octave)}}), octave);
  }
}

TEST(FeatureMap, BinsAndCellsAreTwoNamesOfOneThing) {
  const FeatureMap map(
      {axis("a", 0, 3, 3), axis("b", 0, 4, 4), axis("c", 0, 5, 5)});
  EXPECT_EQ(map.num_cells(), 60);
  std::vector<bool> seen(60, false);
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 4; ++b) {
      for (int c = 0; c < 5; ++c) {
        const CellIndex cell =
            map.cell_of({{"a", a + 0.5}, {"b", b + 0.5}, {"c", c + 0.5}});
        EXPECT_EQ(map.bins_of(cell), (std::vector<int>{a, b, c}));
        EXPECT_FALSE(seen[static_cast<std::size_t>(cell)]);
        seen[static_cast<std::size_t>(cell)] = true;
      }
    }
  }
}

TEST(FeatureMap, AMissingFeatureCountsAsZero) {
  const FeatureMap map(default_feature_axes());
  EXPECT_EQ(map.bins_of(map.cell_of({})), (std::vector<int>{4, 0}));
  EXPECT_EQ(map.cell_of({}), map.cell_of({{"balance", 0}}));
  EXPECT_EQ(FeatureMap({}).num_cells(), 1);
}

TEST(FeatureMap, RefusesAxesWithoutSense) {
  const std::vector<std::vector<FeatureAxisConfig>> wrong{
      {axis("", 0, 1, 2)},
      {axis("x", 0, 1, 0)},
      {axis("x", 1, 1, 2)},
      {axis("x", 0, std::nan(""), 2)},
      {axis("x", 0, 1, 2, true)},
      {axis("x", 0, 1, 2), axis("x", 0, 1, 3)},
      {axis("x", 0, 1, 2000), axis("y", 0, 1, 2000)}};
  for (const auto& axes : wrong) EXPECT_THROW(FeatureMap{axes}, UsageError);
}

ShapeMeasurement shape(std::string name, double speedup, double weight = 1,
                       std::string baseline = "mlx") {
  ShapeMeasurement measurement;
  measurement.shape = std::move(name);
  measurement.baseline = std::move(baseline);
  measurement.speedup = speedup;
  measurement.weight = weight;
  return measurement;
}

TEST(Balance, ComparesTheGeometricMeansOfTwoKinds) {
  Measurements measurements;
  measurements.shapes = {shape("decode-1", 4), shape("decode-2", 1),
                         shape("prefill-1", 0.5),
                         shape("decode-1", 100, 1, "other")};
  EXPECT_DOUBLE_EQ(*balance_of(measurements, "decode", "prefill"), 2);
  measurements.shapes[0].weight = 3;
  EXPECT_DOUBLE_EQ(*balance_of(measurements, "decode", "prefill"), 2.5);
}

TEST(Balance, NeedsBothKinds) {
  Measurements measurements;
  EXPECT_FALSE(balance_of(measurements, "decode", "prefill").has_value());
  measurements.shapes = {shape("decode-1", 4), shape("prefill-1", 0)};
  EXPECT_FALSE(balance_of(measurements, "decode", "prefill").has_value());
  measurements.shapes.push_back(shape("prefill-2", 1));
  EXPECT_TRUE(balance_of(measurements, "decode", "prefill").has_value());
}

}  // namespace
}  // namespace evoke
