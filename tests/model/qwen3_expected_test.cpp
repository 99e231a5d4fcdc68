// Logits against mlx-lm, transformers and a forward pass in float64.
#include <gtest/gtest.h>
#include <mlx/ops.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "tests/model/expected.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;
using test::arrays_of;
using test::load_model;
using test::ModelExpected;

mx::array logits_of(const Qwen3& model, const mx::array& tokens) {
  KvCache kv_cache = model.make_kv_cache();
  return mx::astype(*model.step(tokens, kv_cache, Rows::all), mx::float32);
}

// NaN where either is not finite: no comparison with it holds.
float distance(const mx::array& a, const mx::array& b) {
  EXPECT_EQ(a.shape(), b.shape());
  mx::array apart = mx::max(mx::abs(mx::subtract(a, b)));
  const bool finite = mx::all(mx::isfinite(mx::add(a, b))).item<bool>();
  return finite ? apart.item<float>() : std::numeric_limits<float>::quiet_NaN();
}

float largest(const mx::array& x) { return mx::max(mx::abs(x)).item<float>(); }

class Float32Logits : public ModelExpected,
                      public testing::WithParamInterface<const char*> {};

TEST_P(Float32Logits, AreOthersWithin1em4) {
  const std::string name = GetParam();
  const auto expected = arrays_of(name + "/expected.safetensors");
  const mx::array logits = logits_of(load_model(name), expected.at("tokens"));
  EXPECT_GT(largest(logits), 1) << "too small for 1e-4 to mean anything";
  EXPECT_LE(distance(logits, expected.at("float64")), 1e-4);
  EXPECT_LE(distance(logits, expected.at("mlx_lm")), 1e-4);
}

TEST_P(Float32Logits, AreThoseOfTransformersWithin1em4) {
  const std::string name = GetParam();
  const auto expected = arrays_of(name + "/expected.safetensors");
  const auto answer = expected.find("transformers");
  if (answer == expected.end()) {
    GTEST_SKIP() << (name.ends_with("-bit")
                         ? "transformers does not read MLX's packed weights"
                         : "torch is not installed (a large download)");
  }
  const mx::array logits = logits_of(load_model(name), expected.at("tokens"));
  EXPECT_LE(distance(logits, answer->second), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Models, Float32Logits,
                         testing::Values("float32", "untied-shards", "small",
                                         "4-bit", "8-bit"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::erase(name, '-');
                           return name;
                         });

struct Agreement {
  int clear = 0;  // rows whose best token is ahead by more than the gap
  int equal = 0;  // of these, rows with the same best token
  int all = 0;
};

Agreement compare_best(const mx::array& logits, const mx::array& truth,
                       float least_gap) {
  const mx::array top = mx::topk(truth, 2, -1);
  const mx::array gap = mx::subtract(mx::max(top, -1), mx::min(top, -1));
  const mx::array clear = mx::greater(gap, mx::array(least_gap));
  const mx::array equal =
      mx::equal(mx::argmax(logits, -1), mx::argmax(truth, -1));
  const auto count = [](const mx::array& x) {
    return mx::sum(mx::astype(x, mx::int32)).item<int>();
  };
  return {.clear = count(clear),
          .equal = count(mx::logical_and(clear, equal)),
          .all = static_cast<int>(clear.size())};
}

class HalfPrecision
    : public ModelExpected,
      public testing::WithParamInterface<std::pair<const char*, float>> {};

// In 8 (bfloat16) or 11 (float16) bits of precision the logits differ in
// their last bits between implementations, so tokens are compared where the
// float64 answer is clear.
TEST_P(HalfPrecision, ChoosesTheSameTokensWhereTheGapAllows) {
  const auto& [name, epsilon] = GetParam();
  const auto expected = arrays_of(std::string(name) + "/expected.safetensors");
  const mx::array& truth = expected.at("float64");
  const Qwen3 model = load_model(name);
  ASSERT_EQ(mx::size_of(model.dtype()), 2);
  const mx::array logits = logits_of(model, expected.at("tokens"));
  const float rounding = epsilon * largest(truth);
  const float other = distance(expected.at("mlx_lm"), truth);
  EXPECT_LE(distance(logits, truth), std::min(1.5F * other, 8 * rounding));
  for (const char* answer : {"float64", "mlx_lm"}) {
    const Agreement found =
        compare_best(logits, expected.at(answer), 4 * rounding);
    EXPECT_EQ(found.equal, found.clear) << answer;
    EXPECT_GE(found.clear, found.all / 2) << answer << ": too few are clear";
  }
}

INSTANTIATE_TEST_SUITE_P(Types, HalfPrecision,
                         testing::Values(std::pair("bfloat16", 0x1p-8F),
                                         std::pair("float16", 0x1p-11F)),
                         [](const auto& each) {
                           return std::string(each.param.first);
                         });

TEST_F(ModelExpected, CastsToTheTypeAskedFor) {
  const auto expected = arrays_of("bfloat16/expected.safetensors");
  const Qwen3 model = load_model("bfloat16", mx::float32);
  EXPECT_EQ(model.dtype(), mx::float32);
  EXPECT_LE(
      distance(logits_of(model, expected.at("tokens")), expected.at("float64")),
      1e-4);
}

}  // namespace
}  // namespace evoke::model
