#include <algorithm>
#include <cmath>

#include "evoke/attention/mutant_families.h"

namespace evoke::attention {
namespace {

using enum NumberFormat;

Mutant formed(std::string name, std::string description, FlashForm form) {
  Recipe recipe;
  recipe.form = form;
  return from_recipe(std::move(name), std::move(description),
                     std::move(recipe));
}

Mutant quantised(std::string name, NumberFormat query, NumberFormat key,
                 NumberFormat value) {
  Recipe recipe;
  recipe.query = query;
  recipe.key = key;
  recipe.value = value;
  return from_recipe(std::move(name), "operands in eight bits",
                     std::move(recipe));
}

// Symmetric, one scale per `block` elements.
void to_int8(std::vector<float>& values, std::size_t block) {
  for (std::size_t first = 0; first < values.size(); first += block) {
    const std::size_t end = std::min(first + block, values.size());
    float largest = 0;
    for (std::size_t i = first; i < end; ++i) {
      largest = std::max(largest, std::abs(values[i]));
    }
    if (largest == 0) continue;
    const float unit = largest / 127;
    for (std::size_t i = first; i < end; ++i) {
      values[i] = std::nearbyint(values[i] / unit) * unit;
    }
  }
}

Mutant int8_kv(std::string name, bool per_row) {
  return {std::move(name), "key and value in int8, one scale per block",
          [per_row](const FloatInputs& inputs, std::span<float> output) {
            FloatInputs coarse = inputs;
            const auto block = static_cast<std::size_t>(inputs.shape.D);
            to_int8(coarse.key, per_row ? block : coarse.key.size());
            to_int8(coarse.value, per_row ? block : coarse.value.size());
            compute(Recipe{}, coarse, output);
          }};
}

// P rounded towards zero, over a denominator that is not.
void truncate_p(std::span<const float> scores, const float* values, int64_t dim,
                float* output) {
  const float maximum = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (std::size_t j = 0; j < scores.size(); ++j) {
    const float p = std::exp2(scores[j] - maximum);
    sum += p;
    const float cut =
        p == 0 ? 0
               : std::ldexp(std::trunc(std::ldexp(p, 7 - std::ilogb(p))),
                            std::ilogb(p) - 7);
    for (int64_t d = 0; d < dim; ++d) {
      output[d] += cut * values[static_cast<int64_t>(j) * dim + d];
    }
  }
  for (int64_t d = 0; d < dim; ++d) output[d] /= sum;
}

// exp2 at the nearest 64th, without interpolation; 0 at the maximum.
void table_of_64(std::span<const float> scores, const float* values,
                 int64_t dim, float* output) {
  const float maximum = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (std::size_t j = 0; j < scores.size(); ++j) {
    const float x = std::round((scores[j] - maximum) * 64);
    const float p = std::exp2(x / 64);
    sum += p;
    for (int64_t d = 0; d < dim; ++d) {
      output[d] += p * values[static_cast<int64_t>(j) * dim + d];
    }
  }
  for (int64_t d = 0; d < dim; ++d) output[d] /= sum;
}

}  // namespace

std::vector<Mutant> precision_mutants() {
  std::vector<Mutant> mutants;
  mutants.push_back(
      quantised("fp8 K and V", float32, float8_e4m3, float8_e4m3));
  mutants.push_back(quantised("fp8 K", float32, float8_e4m3, float32));
  mutants.push_back(quantised("fp8 V", float32, float32, float8_e4m3));
  mutants.push_back(quantised("fp8 Q", float8_e4m3, float32, float32));
  mutants.push_back(int8_kv("int8 K and V, one scale", false));
  mutants.push_back(int8_kv("int8 K and V, a scale per row", true));
  mutants.push_back(
      formed("fp8 P", "e4m3 probabilities", {.probability = float8_e4m3}));
  mutants.push_back(formed("fp8 P, e5m2", "e5m2 probabilities",
                           {.probability = float8_e5m2}));
  mutants.push_back(formed("bf16 O accumulator",
                           "the output is kept in bf16 between tiles of 64",
                           {.accumulator = bfloat16}));
  mutants.push_back(formed("bf16 O accumulator, tile 16",
                           "the output is kept in bf16 between tiles of 16",
                           {.tile = 16, .accumulator = bfloat16}));
  mutants.push_back(formed("bf16 O accumulator, every key",
                           "each value is added in bf16",
                           {.tile = 1, .accumulator = bfloat16}));
  mutants.push_back(formed("bf16 denominator",
                           "the sum is kept in bf16 between tiles of 64",
                           {.denominator = bfloat16}));
  mutants.push_back(formed("quadratic exp2",
                           "1 + 2/3 f + 1/3 f^2: 0.36 % off at worst",
                           {.exp2 = exp2_quadratic}));
  mutants.push_back(formed("quadratic exp2, minimax",
                           "the best quadratic: 0.17 % off at worst",
                           {.exp2 = exp2_minimax2}));
  Recipe accumulator;
  accumulator.score_accumulator = bfloat16;
  mutants.push_back(from_recipe("bf16 QK accumulator",
                                "dot products rounded after every 16 elements",
                                std::move(accumulator)));
  Recipe score;
  score.score = float16;
  mutants.push_back(
      from_recipe("fp16 scores", "S is stored in float16", std::move(score)));
  return mutants;
}

std::vector<Mutant> policy_cases() {
  std::vector<Mutant> cases;
  Recipe scaled;
  scaled.round_scaled_query = true;
  cases.push_back(from_recipe("Q scale rounded to bf16",
                              "the scale is folded into the query", scaled));
  scaled.scale_has_log2e = true;
  cases.push_back(from_recipe("Q scale log2(e) rounded to bf16",
                              "scale and base change folded into the query",
                              scaled));
  Recipe eager;
  eager.form.normalise_first = true;
  eager.score = bfloat16;
  cases.push_back(
      from_recipe("eager bf16", "scores are stored in bf16", std::move(eager)));
  Recipe truncated;
  truncated.attend = truncate_p;
  cases.push_back(from_recipe("P truncated to bf16",
                              "probabilities are cut, not rounded",
                              std::move(truncated)));
  cases.push_back(formed("fp16 O accumulator",
                         "the output is kept in fp16 between tiles of 64",
                         {.accumulator = float16}));
  cases.push_back(formed("split-KV 16, fp16 partials",
                         "parts are stored in fp16: not where V exceeds it",
                         {.splits = 16, .partial = float16}));
  Recipe table;
  table.attend = table_of_64;
  cases.push_back(
      from_recipe("exp2 from a table of 64",
                  "0.54 % off at worst; rounding P to bf16 costs 0.39 %",
                  std::move(table)));
  return cases;
}

}  // namespace evoke::attention
