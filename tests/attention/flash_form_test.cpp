#include "evoke/attention/flash_form.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "evoke/attention/honest_family.h"
#include "evoke/attention/peer_gates.h"
#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

double worst_relative(const FlashForm& form, const FloatInputs& inputs,
                      const PeerTruth& truth) {
  Recipe recipe;
  recipe.form = form;
  const auto output = computed(recipe, inputs);
  const int64_t dim = inputs.shape.D;
  double worst = 0;
  for (std::size_t row = 0; row < output.size(); row += dim) {
    double error = 0, norm = 0;
    for (int64_t d = 0; d < dim; ++d) {
      error += std::pow(output[row + d] - truth.exact[row + d], 2);
      norm += std::pow(truth.exact[row + d], 2);
    }
    worst = std::max(worst, std::sqrt(error / norm));
  }
  return worst;
}

TEST(FlashForm, WithoutRoundingEveryFormIsTheReference) {
  const FloatInputs inputs =
      float_inputs({small_shape(9, 150, true), "normal", 3});
  const PeerTruth truth = make_peer_truth(inputs);
  using enum NumberFormat;
  for (FlashForm form :
       {FlashForm{.tile = 1}, FlashForm{.tile = 64}, FlashForm{.tile = 1000},
        FlashForm{.splits = 8}, FlashForm{.tile = 16, .splits = 5},
        FlashForm{.splits = 64, .interleaved = true},
        FlashForm{.splits = 256, .interleaved = true},
        FlashForm{.lazy_rescale = 8}, FlashForm{.normalise_first = true},
        FlashForm{.sum_rounded = true}, FlashForm{.subtract_max = false}}) {
    form.probability = float32;
    EXPECT_LT(worst_relative(form, inputs, truth), 2e-6)
        << "tile " << form.tile << " splits " << form.splits;
  }
}

TEST(FlashForm, RoundingCostsWhatItShould) {
  const FloatInputs inputs = float_inputs({small_shape(1, 500), "normal", 3});
  const PeerTruth truth = make_peer_truth(inputs);
  using enum NumberFormat;
  const auto error = [&](NumberFormat p) {
    return worst_relative({.probability = p}, inputs, truth);
  };
  EXPECT_GT(error(bfloat16), 5e-4);
  EXPECT_LT(error(bfloat16), 3e-3);
  // Three more bits.
  EXPECT_LT(error(float16), error(bfloat16) / 4);
  EXPECT_GT(error(float8_e4m3), error(bfloat16) * 8);
  const FlashForm coarse{.tile = 1, .accumulator = bfloat16};
  EXPECT_GT(worst_relative(coarse, inputs, truth), 4 * error(bfloat16));
}

TEST(FlashForm, HonestFormsAreCloseOnEveryInput) {
  for (const std::string& input : input_names()) {
    const FloatInputs inputs =
        float_inputs({small_shape(3, 130, true), input, 3});
    const PeerTruth truth = make_peer_truth(inputs);
    // Contrast cancels, which lets rounding weigh more.
    const double limit = input == "contrast" || input == "blend" ? 0.05 : 0.01;
    for (const NamedForm& named : honest_family()) {
      EXPECT_LT(worst_relative(named.form, inputs, truth), limit)
          << named.name << " on " << input;
    }
  }
}

TEST(FlashForm, NoKeyGivesZeros) {
  std::vector<float> output(8, 1.0f);
  FlashScratch scratch;
  for (const NamedForm& named : honest_family()) {
    attend_row(named.form, nullptr, 0, nullptr, 8, output.data(), scratch);
    EXPECT_EQ(output, std::vector<float>(8, 0.0f)) << named.name;
  }
}

TEST(FlashForm, OneKeyGivesItsValueExactly) {
  const std::vector<float> value = {1, -2, 3, 0.5f, 7, 8, -9, 10};
  std::vector<float> output(8);
  FlashScratch scratch;
  const float score = 216.5f;
  for (const NamedForm& named : honest_family()) {
    if (named.form.exp2 != nullptr) continue;  // exp2(0) is not exactly 1
    attend_row(named.form, &score, 1, value.data(), 8, output.data(), scratch);
    EXPECT_EQ(output, value) << named.name;
  }
}

TEST(FlashForm, PolynomialsHaveTheErrorTheyClaim) {
  const auto worst = [](Exp2 exp2) {
    double largest = 0;
    for (int i = 0; i <= 4000; ++i) {
      float x = -static_cast<float>(i) / 400;
      const double exact = std::exp2(static_cast<double>(x));
      exp2(&x, 1);
      largest = std::max(largest, std::abs(x / exact - 1));
    }
    return largest;
  };
  EXPECT_NEAR(worst(exp2_cubic), 7.5e-5, 2e-6);
  EXPECT_NEAR(worst(exp2_quadratic), 3.6e-3, 2e-4);
  EXPECT_NEAR(worst(exp2_minimax2), 1.72e-3, 2e-5);
}

}  // namespace
}  // namespace evoke::attention
