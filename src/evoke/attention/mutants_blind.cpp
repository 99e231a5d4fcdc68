#include "evoke/attention/mutants.h"

namespace evoke::attention {

std::vector<Mutant> blind_mutants() { return {}; }

}  // namespace evoke::attention
