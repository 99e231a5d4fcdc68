// What a process that ran a model says of its attention: which kernel
// computed it, how often, and what else did. Counted where the work is done,
// and held against what the model says it asked for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"

namespace evoke {

// Attention calls of one kind: of the prompt (more than one query) or of
// decode steps (one query).
struct AttentionCounts {
  int64_t expected = 0;    // layers x forward passes, counted by the model
  int64_t dispatched = 0;  // by the kernel, counted when it has run
  int64_t fallen_back = 0;
  bool operator==(const AttentionCounts&) const = default;
};

struct Attestation {
  // Calls that went to the default, alike in shape but for the lengths.
  struct Fallback {
    std::string shape;  // "B 1, heads 16:8, D 128, Lq 1, Lk 3..17, causal"
    std::string reason;
    int64_t count = 0;
    bool operator==(const Fallback&) const = default;
  };

  std::string kernel_hash;  // empty: no kernel
  std::string device;
  int64_t num_layers = 0;
  AttentionCounts prompt;
  AttentionCounts decode;
  std::map<std::string, int64_t> dispatches;  // by variant
  std::vector<Fallback> fallbacks;
  // Tensors that were copied because their layout is none that kernels must
  // take.
  int64_t copies = 0;
  bool operator==(const Attestation&) const = default;
};

Json to_json(const Attestation& attestation);
Result<Attestation> attestation_from_json(const Json& json);

// Whether all calls of the prompt, or of the decode steps, were computed by
// the kernel of this hash (empty: by the default). The message says what
// speaks against it; times of such a run prove nothing about the kernel.
enum class AttentionPhase { prompt, decode };
Result<void> check_attestation(const Attestation& attestation,
                               const std::string& kernel_hash,
                               AttentionPhase phase);

}  // namespace evoke
