// One run of evoke_model, as far as comparing needs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/attestation.h"

namespace evoke::compare {

struct RunSample {
  std::string dtype;
  int64_t prompt_tokens = 0;
  double prompt_tokens_per_s = 0;
  double generation_tokens_per_s = 0;  // 0: one token only
  int64_t peak_memory_bytes = 0;       // of arrays
  int64_t weight_bytes = 0;
  int64_t kv_bytes_per_token = 0;
  std::vector<int32_t> tokens;
  Attestation attestation;
};

// From what `evoke_model generate --json` prints, and from to_json().
// `failed` names what is missing.
Result<RunSample> sample_from_json(const Json& json);
Json to_json(const RunSample& sample);

// Baseline and kernel, one right after the other in fresh processes. Only the
// baseline where no kernel is compared.
struct RunPair {
  std::string scenario;
  int index = 0;  // 0, 1, ... in its scenario
  bool kernel_first = false;
  RunSample baseline;
  std::optional<RunSample> kernel;
};
Result<RunPair> pair_from_json(const Json& json);
Json to_json(const RunPair& pair);

}  // namespace evoke::compare
