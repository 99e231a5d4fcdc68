#include <algorithm>

#include "evoke/attention/mutant_families.h"

namespace evoke::attention {
namespace {

// Finished rows of the right kernel, then changed.
Mutant edited(std::string name, std::string description,
              std::function<void(const RowPlace&, std::span<float>)> edit) {
  Recipe recipe;
  recipe.edit_row = std::move(edit);
  return from_recipe(std::move(name), std::move(description),
                     std::move(recipe));
}

// One (batch, head) and query of the call, not the first.
bool is_chosen_row(const RowPlace& place) {
  return place.b == 0 && place.head == place.shape.Hq / 2 &&
         place.i == place.shape.Lq / 2;
}

void copy_of_query(const FloatInputs& inputs, std::span<float> output) {
  std::copy(inputs.query.begin(), inputs.query.end(), output.begin());
}

// Row `pick(visible)` of the values.
template <typename Pick>
ComputeAttention copy_of_value(Pick pick) {
  return [pick](const FloatInputs& inputs, std::span<float> output) {
    const AttentionShape& shape = inputs.shape;
    int64_t row = 0;
    for (int64_t b = 0; b < shape.B; ++b) {
      for (int64_t h = 0; h < shape.Hq; ++h) {
        for (int64_t i = 0; i < shape.Lq; ++i, ++row) {
          const int64_t visible = std::max<int64_t>(shape.visible_keys(i), 1);
          std::copy_n(inputs.values_of(b, h) + pick(visible) * shape.D, shape.D,
                      &output[row * shape.D]);
        }
      }
    }
  };
}

// The right answer to the negated queries: a buffer that an earlier call
// filled and this one did not touch.
void previous_output(const FloatInputs& inputs, std::span<float> output) {
  FloatInputs earlier = inputs;
  for (float& x : earlier.query) x = -x;
  compute(Recipe{}, earlier, output);
}

}  // namespace

std::vector<Mutant> output_mutants() {
  std::vector<Mutant> mutants;
  mutants.push_back({"all zeros", "nothing is computed, memory is fresh",
                     [](const FloatInputs&, std::span<float> output) {
                       std::fill(output.begin(), output.end(), 0.0f);
                     }});
  Recipe mean;
  mean.edit_scores = [](const RowPlace&, std::span<float> scores) {
    std::fill(scores.begin(), scores.end(), 0.0f);
  };
  mutants.push_back(
      from_recipe("mean of V", "every key weighs the same", std::move(mean)));
  mutants.push_back(
      {"copy of Q", "the query is passed through", copy_of_query});
  mutants.push_back({"copy of the last V", "the newest value is returned",
                     copy_of_value([](int64_t n) { return n - 1; })});
  mutants.push_back({"copy of the first V", "the first value is returned",
                     copy_of_value([](int64_t) { return int64_t{0}; })});
  mutants.push_back({"previous output",
                     "the buffer still holds another call's answer",
                     previous_output});
  mutants.push_back(edited("one (row, head) unwritten",
                           "one row of the output keeps its zeros",
                           [](const RowPlace& place, std::span<float> row) {
                             if (is_chosen_row(place))
                               std::fill(row.begin(), row.end(), 0.0f);
                           }));
  mutants.push_back(edited("last 8 channels unwritten",
                           "the tail of the head dimension is skipped",
                           [](const RowPlace&, std::span<float> row) {
                             std::fill(row.end() - 8, row.end(), 0.0f);
                           }));
  mutants.push_back(edited("two channels swapped",
                           "a fragment is stored in the wrong order",
                           [](const RowPlace&, std::span<float> row) {
                             std::swap(row[0], row[1]);
                           }));
  mutants.push_back(edited("output x 1.01", "a constant is slightly off",
                           [](const RowPlace&, std::span<float> row) {
                             for (float& x : row) x *= 1.01f;
                           }));
  Recipe neighbour;
  neighbour.query_head = [](const RowPlace& place) {
    return place.head / place.shape.group() * place.shape.group();
  };
  mutants.push_back(from_recipe("one query head per group",
                                "the heads of a group share one query",
                                std::move(neighbour)));
  return mutants;
}

}  // namespace evoke::attention
