// Runs as evoke_model would report them.
#pragma once

#include <string>

#include "evoke/compare/run_sample.h"
#include "evoke/compare/scenarios.h"

namespace evoke::compare {

inline const std::string kHash = "0123456789abcdef0123456789abcdef";

// Of 28 layers, 16 tokens of prompt, 11 generated.
inline RunSample sample(double generation_rate, bool with_kernel,
                        double prompt_rate = 500) {
  RunSample run;
  run.dtype = "bfloat16";
  run.prompt_tokens = 16;
  run.prompt_tokens_per_s = prompt_rate;
  run.generation_tokens_per_s = generation_rate;
  run.peak_memory_bytes = 1'400'000'000;
  run.weight_bytes = 1'192'000'000;
  run.kv_bytes_per_token = 114'688;
  run.tokens = {1, 2, 3, 4};
  run.attestation.num_layers = 28;
  run.attestation.device = "cpu";
  run.attestation.prompt.expected = 28;
  run.attestation.decode.expected = 280;
  if (with_kernel) {
    run.attestation.kernel_hash = kHash;
    run.attestation.prompt.dispatched = 28;
    run.attestation.decode.dispatched = 280;
    run.attestation.dispatches = {{"any", 308}};
  }
  return run;
}

inline RunPair pair(const std::string& scenario, int index, double baseline,
                    double kernel) {
  return {scenario, index, index % 2 == 0, sample(baseline, false),
          sample(kernel, true)};
}

inline Scenario scenario(const std::string& name, int max_tokens = 11) {
  return {name, max_tokens, "Say " + name};
}

}  // namespace evoke::compare
