// Asks language models for kernel files.
//
// One proposal is one conversation: a prompt, an answer, and when the answer
// makes no kernel file, one more round in which the model is told why. What
// only shows later (compile errors, wrong results) comes back as a request
// for "repair".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/evolution/interfaces/llm_call.h"
#include "evoke/evolution/interfaces/proposer.h"
#include "evoke/proposers/llm/chat_client.h"
#include "evoke/proposers/llm/prompt_facts.h"
#include "evoke/proposers/llm/prompt_files.h"

namespace evoke::llm {

// A member of the ensemble.
struct LlmModel {
  std::string name;     // as the service calls it
  double weight = 1.0;  // share of the proposals that name no model
  ChatParameters parameters;
  std::shared_ptr<ChatClient> client;
};

struct LlmProposerOptions {
  std::vector<LlmModel> models;  // at least one
  PromptFacts facts;
  PromptFiles prompts;
  int64_t prompt_tokens = 32'000;  // longest prompt, as estimated
  int corrections = 1;       // rounds after an answer that makes no kernel file
  int max_concurrency = 4;   // calls at the same time
  LlmCallObserver observer;  // null: nobody
  Stop stop;                 // null: never
};

class LlmProposer : public Proposer {
 public:
  // Throws UsageError: no model, two of one name, no weight above 0.
  explicit LlmProposer(LlmProposerOptions options);

  // improve    one change that should make the parent quicker
  // explore    another algorithm or layout than those shown
  // crossover  the parent with the better parts of an elite
  // simplify   the same speed with less code
  // repair     mends ProposalRequest::failed
  static std::vector<std::string> operations();

  std::string name() const override { return "llm"; }
  // "llm:MODEL" for each, in the order given.
  std::vector<std::string> arms() const;
  int max_concurrency() const override { return options_.max_concurrency; }

  // Whether a request for `operation` is answered with another one: it lacks
  // what that one needs.
  static bool allows(const ProposalRequest& request,
                     std::string_view operation);

  // Thread-safe. ProposalRequest::proposer "llm:MODEL" asks that model; "llm"
  // or nothing draws one by weight. An operation that is not one of ours, or
  // that this request does not allow ("repair" without a failed candidate,
  // "crossover" without inspirations), gives way to another one, which the
  // proposal names.
  // `absent`: the answers made no kernel file, or one that changes nothing;
  // `timed_out`: cancelled or too slow; `failed`: no answer is to be had.
  Result<Proposal> propose(const ProposalRequest& request) override;

 private:
  class Conversation;
  LlmProposerOptions options_;
};

}  // namespace evoke::llm
