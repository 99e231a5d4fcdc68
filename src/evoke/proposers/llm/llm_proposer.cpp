#include "evoke/proposers/llm/llm_proposer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/rng.h"
#include "evoke/base/utf8.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/proposers/llm/answer.h"
#include "evoke/proposers/llm/answer_edit.h"
#include "evoke/proposers/llm/prompt.h"

namespace evoke::llm {
namespace {

constexpr std::string_view kPrefix = "llm:";
constexpr std::size_t kLongestReason = 300;

// Operations that are drawn when none is asked for, and how often.
struct Share {
  std::string_view operation;
  double weight;
};
constexpr std::array<Share, 4> kShares = {{{"improve", 0.55},
                                           {"explore", 0.2},
                                           {"crossover", 0.15},
                                           {"simplify", 0.1}}};

template <typename Items, typename Weight>
const auto& drawn(const Items& items, const Weight& weight, Rng& rng) {
  double total = 0;
  for (const auto& item : items) total += weight(item);
  double left = rng.uniform() * total;
  const auto* last = &*items.begin();
  for (const auto& item : items) {
    if (!(weight(item) > 0)) continue;
    last = &item;
    left -= weight(item);
    if (left < 0) break;
  }
  return *last;
}

// What can be known of a kernel file before it is compiled.
Result<void> check(const KernelSource& kernel, const PromptFacts& facts) {
  if (const auto checked = check_forbidden_text(kernel); !checked) {
    return checked;
  }
  if (facts.signature.name.empty()) return {};
  if (const auto fits = check_signature(kernel, facts.signature); !fits) {
    return fits;
  }
  for (const ShapeFacts& each : facts.shapes) {
    const auto plan =
        resolve(kernel, facts.signature, each.shape, facts.limits);
    if (!plan) return error_of(plan);
  }
  return {};
}

ErrorKind kind_of(ChatErrorKind kind) {
  return kind == ChatErrorKind::timed_out || kind == ChatErrorKind::cancelled
             ? ErrorKind::timed_out
             : ErrorKind::failed;
}

}  // namespace

// One proposal in the making. Lives on its caller's thread.
class LlmProposer::Conversation {
 public:
  Conversation(const LlmProposerOptions& options,
               const ProposalRequest& request)
      : options_(options),
        request_(request),
        rng_(Rng(request.rng_seed).fork("llm")) {}

  Result<Proposal> hold() {
    const std::string path =
        "candidate" + std::string(file_suffix(options_.facts.dialect));
    auto parent = KernelSource::parse(request_.parent.candidate.text,
                                      options_.facts.dialect, path);
    if (!parent) return absent(parent.error().message);
    if (auto chosen = choose_model(); !chosen) return error_of(chosen);
    choose_operation();
    auto prompt = make_prompt(options_.prompts, options_.facts, request_,
                              *parent, operation_, options_.prompt_tokens);
    if (!prompt) return error_of(prompt);

    const std::string& base = operation_ == "repair"
                                  ? request_.failed->candidate.text
                                  : parent->text();
    std::vector<LlmMessage> messages = prompt->messages;
    for (int round = 0;; ++round) {
      LlmCall call = begin_call(round, std::move(messages));
      auto reply = ask(call);
      if (!reply) {
        report(call);
        return tl::unexpected<Error>(
            {kind_of(reply.error().kind), model_->name + ": " + call.error});
      }
      auto proposal = read(*reply, base, *parent, path);
      if (!proposal) call.refusal = proposal.error().message;
      report(call);
      if (proposal) return proposal;
      const std::string reason = one_line(call.refusal, kLongestReason);
      if (round >= options_.corrections) {
        return absent(fmt::format("{}: no kernel file came of it: {}",
                                  model_->name, reason));
      }
      auto next = make_correction(options_.prompts, *prompt, call.answer,
                                  call.refusal, options_.prompt_tokens);
      if (!next) return absent(next.error().message);
      messages = *std::move(next);
    }
  }

 private:
  Result<void> choose_model() {
    const std::string_view asked = request_.proposer;
    if (!asked.starts_with(kPrefix)) {
      model_ = &drawn(
          options_.models, [](const LlmModel& model) { return model.weight; },
          rng_);
      return {};
    }
    for (const LlmModel& model : options_.models) {
      if (model.name == asked.substr(kPrefix.size())) model_ = &model;
    }
    if (model_ == nullptr) {
      return failed(
          fmt::format("there is no model for '{}'", one_line(asked, 80)));
    }
    return {};
  }

  void choose_operation() {
    operation_ = request_.operation;
    if (LlmProposer::allows(request_, operation_)) return;
    operation_ = drawn(
                     kShares,
                     [&](const Share& share) {
                       return LlmProposer::allows(request_, share.operation)
                                  ? share.weight
                                  : 0;
                     },
                     rng_)
                     .operation;
  }

  LlmCall begin_call(int round, std::vector<LlmMessage> messages) const {
    LlmCall call;
    call.proposal = request_.id;
    call.attempt = request_.attempt;
    call.round = round;
    call.model = model_->name;
    call.operation = operation_;
    call.started = utc_now();
    call.messages = std::move(messages);
    for (LlmMessage& message : call.messages) {
      model_->client->hide_secrets(message.content);
    }
    return call;
  }

  ChatResult<ChatReply> ask(LlmCall& call) {
    const auto reply = model_->client->chat(
        {model_->name, call.messages, model_->parameters, rng_.next()},
        options_.stop);
    std::optional<double> cost;
    if (reply) {
      call.answer = reply->text;
      call.finish_reason = reply->finish_reason;
      call.usage = reply->usage;
      call.latency_ms = reply->latency_ms;
      call.requests = reply->requests;
      cost = reply->cost_usd;
      model_->client->hide_secrets(call.answer);
    } else {
      const ChatError& error = reply.error();
      call.error_kind = to_string(error.kind);
      call.error = error.message;
      call.latency_ms = error.latency_ms;
      call.requests = error.requests;
      cost = error.cost_usd;
      model_->client->hide_secrets(call.error);
    }
    call.cost_usd = cost;
    cost_.seconds += 1e-3 * call.latency_ms;
    cost_.usd =
        cost_.usd && cost ? std::optional(*cost_.usd + *cost) : std::nullopt;
    answer_ = call.answer;
    return reply;
  }

  Result<Proposal> read(const ChatReply& reply, const std::string& base,
                        const KernelSource& parent, const std::string& path) {
    const auto answer = read_answer(answer_);
    const std::string cut =
        reply.finish_reason == "length"
            ? " (the answer was cut off at the token limit: be shorter)"
            : "";
    if (!answer) return failed(answer.error().message + cut);
    if (!cut.empty() && !answer->file.empty() && !answer->file_is_closed) {
      return failed("the kernel file does not end" + cut);
    }
    const auto kernel = edited_kernel(*answer, base, parent, path);
    if (!kernel) return failed(kernel.error().message + cut);
    if (const auto checked = check(*kernel, options_.facts); !checked) {
      return error_of(checked);
    }
    Proposal proposal;
    proposal.text = kernel->text();
    proposal.parents = {request_.parent.candidate.id};
    if (operation_ == "repair") {
      proposal.parents.push_back(request_.failed->candidate.id);
    } else if (operation_ == "crossover") {
      proposal.parents.push_back(request_.inspirations[0].candidate.id);
    }
    proposal.operation = operation_;
    proposal.summary = answer->idea;
    proposal.proposer = std::string(kPrefix) + model_->name;
    proposal.strategies = answer->strategies;
    proposal.cost = cost_;
    return proposal;
  }

  void report(const LlmCall& call) const {
    if (options_.observer) options_.observer(call);
  }

  const LlmProposerOptions& options_;
  const ProposalRequest& request_;
  Rng rng_;
  const LlmModel* model_ = nullptr;
  std::string operation_;
  std::string answer_;
  ProposalCost cost_;
};

LlmProposer::LlmProposer(LlmProposerOptions options)
    : options_(std::move(options)) {
  const auto refuse = [](const std::string& what) {
    throw UsageError("[LlmProposer::LlmProposer] " + what);
  };
  if (options_.models.empty()) {
    refuse("there is no model to ask. Name at least one.");
  }
  std::set<std::string> names;
  double weights = 0;
  for (const LlmModel& model : options_.models) {
    if (!model.client) refuse("model " + model.name + " has no client.");
    if (!(model.weight >= 0)) refuse("a weight is below 0.");
    weights += model.weight;
    if (!names.insert(model.name).second) {
      refuse("model " + model.name + " is named twice.");
    }
  }
  if (!(weights > 0)) refuse("all models have weight 0.");
}

std::vector<std::string> LlmProposer::operations() {
  return {"improve", "explore", "crossover", "simplify", "repair"};
}

std::vector<std::string> LlmProposer::arms() const {
  std::vector<std::string> arms;
  for (const LlmModel& model : options_.models) {
    arms.push_back(std::string(kPrefix) + model.name);
  }
  return arms;
}

bool LlmProposer::allows(const ProposalRequest& request,
                         std::string_view operation) {
  if (operation == "repair") return request.failed.has_value();
  if (operation == "crossover") return !request.inspirations.empty();
  return operation == "improve" || operation == "explore" ||
         operation == "simplify";
}

Result<Proposal> LlmProposer::propose(const ProposalRequest& request) {
  return Conversation(options_, request).hold();
}

}  // namespace evoke::llm
