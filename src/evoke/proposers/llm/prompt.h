// The messages of one request to a model, within a budget of tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/evolution/interfaces/llm_call.h"
#include "evoke/evolution/interfaces/proposer.h"
#include "evoke/proposers/llm/data_fence.h"
#include "evoke/proposers/llm/prompt_facts.h"
#include "evoke/proposers/llm/prompt_files.h"

namespace evoke::llm {

struct Prompt {
  // The system's, the same for all requests of a run (services remember how
  // prompts begin), then the user's.
  std::vector<LlmMessage> messages;
  DataFence fence;
  int64_t tokens = 0;                 // estimated
  std::vector<std::string> left_out;  // for want of room, in that order
};

// `operation` is one of LlmProposer::operations(). What is least useful for it
// goes first when the prompt would be longer than `max_tokens`: other kernels'
// texts, old ideas, old failures, kernels, the rules of the dialect; the
// contract, the file to change and its diagnostics never. Fails when these
// alone are too long.
Result<Prompt> make_prompt(const PromptFiles& files, const PromptFacts& facts,
                           const ProposalRequest& request,
                           const KernelSource& parent,
                           const std::string& operation, int64_t max_tokens);

// The conversation so far, the model's `answer` and why it was refused: what
// to ask next. Of a long answer only the ends are shown. Fails when there is
// no room for it.
Result<std::vector<LlmMessage>> make_correction(const PromptFiles& files,
                                                const Prompt& prompt,
                                                const std::string& answer,
                                                const std::string& refusal,
                                                int64_t max_tokens);

}  // namespace evoke::llm
