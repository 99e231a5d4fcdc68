#include "evoke/attention/mutants.h"

#include <iterator>

#include "evoke/attention/mutant_families.h"

namespace evoke::attention {

std::vector<Mutant> known_mutants() {
  std::vector<Mutant> mutants;
  for (auto make : {output_mutants, key_mutants, mask_mutants, softmax_mutants,
                    precision_mutants}) {
    std::vector<Mutant> some = make();
    mutants.insert(mutants.end(), std::make_move_iterator(some.begin()),
                   std::make_move_iterator(some.end()));
  }
  return mutants;
}

}  // namespace evoke::attention
