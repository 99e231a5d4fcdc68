// A proposal's request as JSON: what programs and people outside are asked.
// docs/proposers.md describes it.
#pragma once

#include <functional>
#include <string>

#include "evoke/base/json.h"
#include "evoke/core/kernel_source.h"
#include "evoke/evolution/interfaces/proposer.h"

namespace evoke {

// `facts`: what is known of task and machine, the same for a whole run.
Json to_json(const ProposalRequest& request, const Json& facts);

// The request in words, as a language model would be asked.
using PromptWriter = std::function<std::string(const ProposalRequest&)>;
// Makes a proposal of what somebody answered. Errors are one line for whoever
// wrote it: where it does not parse, text that may not change, nothing new.
using AnswerReader = std::function<Result<Proposal>(
    const std::string& answer, const ProposalRequest& request)>;

// Reads a kernel file, or JSON that holds one: {"text", "summary",
// "strategies"}.
AnswerReader kernel_file_reader(Dialect dialect);

}  // namespace evoke
