// The known mutants by what they get wrong. Private to mutants*.cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "evoke/attention/mutants.h"
#include "evoke/attention/recipe.h"

namespace evoke::attention {

std::vector<Mutant> output_mutants();     // the answer to another question
std::vector<Mutant> key_mutants();        // keys missing, repeated, misplaced
std::vector<Mutant> mask_mutants();       // causal edges, windows, heads
std::vector<Mutant> softmax_mutants();    // scale, maximum, rescaling, combine
std::vector<Mutant> precision_mutants();  // too few bits somewhere

inline Mutant from_recipe(std::string name, std::string description,
                          Recipe recipe) {
  return {std::move(name), std::move(description),
          [recipe = std::move(recipe)](const FloatInputs& inputs,
                                       std::span<float> output) {
            compute(recipe, inputs, output);
          }};
}

}  // namespace evoke::attention
