// Wrong kernels. The gate is believed only as long as it rejects every one of
// them; selftest.h shows that it does.
//
// A mutant sees the inputs as float32 (each value exactly representable in
// bfloat16) and writes the whole output, (B, Hq, Lq, D) contiguous, before
// the final rounding to bfloat16, which the caller does. It must be
// deterministic and callable from several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "evoke/attention/inputs.h"

namespace evoke::attention {

using ComputeAttention =
    std::function<void(const FloatInputs& inputs, std::span<float> output)>;

struct Mutant {
  std::string name;         // "drop last key"
  std::string description;  // what is wrong, and how it comes about
  ComputeAttention compute;
  // Wrong only where the gate list does not reach, for a reason given where it
  // is set; the full list, at confirmation, has to reject it.
  bool left_to_full_list = false;
};

// The known ones.
std::vector<Mutant> known_mutants();
// Written by someone who has not read the gate (mutants_blind.cpp).
std::vector<Mutant> blind_mutants();
// `count` mutants drawn with `seed`: random subsets of keys, skipped tiles,
// and random number formats for each operand, at least one of them wrong.
std::vector<Mutant> random_mutants(uint64_t seed, int count);

// Forms that people ship and that the gate has to take a stand on; listed in
// the self-test, part of no verdict.
std::vector<Mutant> policy_cases();

}  // namespace evoke::attention
