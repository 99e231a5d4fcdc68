#include "evoke/attention/mutants.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

TEST(Mutants, AreManyAndHaveNamesAndReasons) {
  std::set<std::string> names;
  std::vector<Mutant> all = known_mutants();
  for (const Mutant& each : blind_mutants()) all.push_back(each);
  for (const Mutant& each : policy_cases()) all.push_back(each);
  for (const Mutant& each : all) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    EXPECT_FALSE(each.description.empty()) << each.name;
  }
  EXPECT_GE(known_mutants().size(), 30U);
}

// A mutant that computes the right thing everywhere would weaken nothing but
// the test's claim.
TEST(Mutants, EachIsWrongSomewhere) {
  AttentionShape chunk = small_shape(3, 90, true);
  chunk.B = 2;
  std::vector<FloatInputs> inputs;
  std::vector<std::vector<float>> right;
  const auto add = [&](const AttentionShape& shape, const char* input) {
    inputs.push_back(float_inputs({shape, input, 3}));
    right.push_back(computed({}, inputs.back()));
  };
  for (const AttentionShape& shape : {small_shape(1, 1100), chunk}) {
    for (const char* input : {"normal", "shift_up", "contrast"}) {
      add(shape, input);
    }
  }
  // Rarer faults: lengths, rows of zeros, V beyond float16, outliers in K.
  add(small_shape(1, 6100), "normal");
  add(small_shape(520, 520, true), "normal");
  add(small_shape(1, 512), "blend");
  for (const char* input : {"mixed", "needle", "shift_down", "outlier"}) {
    add(small_shape(9, 1100, true), input);
    add(small_shape(40, 90, true), input);
  }
  std::vector<Mutant> all = known_mutants();
  for (const Mutant& each : random_mutants(5, 20)) all.push_back(each);
  for (const Mutant& each : blind_mutants()) all.push_back(each);
  for (const Mutant& mutant : all) {
    bool differs = false;
    for (std::size_t c = 0; c < inputs.size() && !differs; ++c) {
      std::vector<float> output(right[c].size());
      mutant.compute(inputs[c], output);
      for (std::size_t i = 0; i < output.size(); ++i) {
        differs |= !(round_to_bf16(output[i]) == round_to_bf16(right[c][i]));
      }
    }
    EXPECT_TRUE(differs) << mutant.name;
  }
}

TEST(Mutants, RandomOnesRepeatWithTheSeed) {
  const FloatInputs inputs = float_inputs({small_shape(1, 200), "normal", 3});
  const auto outputs = [&](uint64_t seed) {
    std::vector<std::vector<float>> all;
    for (const Mutant& mutant : random_mutants(seed, 8)) {
      all.emplace_back(inputs.query.size());
      mutant.compute(inputs, all.back());
    }
    return all;
  };
  EXPECT_EQ(outputs(1), outputs(1));
  EXPECT_NE(outputs(1), outputs(2));
}

}  // namespace
}  // namespace evoke::attention
