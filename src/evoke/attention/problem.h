// Attention as a Problem: softmax(scale Q K^T) V in bfloat16, grouped heads,
// optionally causal.
#pragma once

#include <memory>

#include "evoke/core/problem.h"

namespace evoke {

// Stateless and thread-safe; prepare() may be called from several threads.
std::unique_ptr<Problem> make_attention_problem();

}  // namespace evoke
