// How far a kernel's logits are from the default's, inside the model: both
// read the same text, which the default goes on with.
#pragma once

#include <cstdint>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/model/attention_op.h"
#include "evoke/model/run_generate.h"

namespace evoke::model {

struct Agreement {
  // Positions compared: after the prompt, and after each token but the last.
  int64_t positions = 0;
  int64_t same_token = 0;  // where both find the same token the likeliest
  // Of the default's distribution from the kernel's, in nats.
  double mean_kl = 0;
  double max_kl = 0;
  double max_logit_difference = 0;
};

// request.options.max_tokens positions, greedy; its sampling and end tokens
// are not used. Throws UsageError or StartupError with one line.
Agreement measure_agreement(const GenerateRequest& request,
                            const AttentionOp& kernel);

Json to_json(const Agreement& agreement);

}  // namespace evoke::model
