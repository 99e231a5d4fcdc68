// Wrong kernels by someone who had not read the gate: what a programmer in a
// hurry writes, or one who is paid for speed. Nearly all of them are right
// on N(0, 1) inputs of the usual sizes; each says on what it is wrong, and by
// how much.
#include "evoke/attention/blind_rows.h"

namespace evoke::attention {

std::vector<Mutant> blind_mutants() {
  std::vector<Mutant> all;
  blind::add_skipping(all);
  blind::add_softmax(all);
  blind::add_shapes(all);
  return all;
}

}  // namespace evoke::attention
