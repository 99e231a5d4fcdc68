#include "evoke/proposers/llm/prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>

#include "evoke/proposers/llm/prompt_text.h"
#include "evoke/proposers/llm/token_estimate.h"

namespace evoke::llm {
namespace {

constexpr std::size_t kMostElites = 4;
constexpr std::size_t kMostTried = 20;
constexpr std::size_t kMostSiblings = 4;
constexpr std::size_t kMostStrategies = 12;
constexpr std::size_t kFailureBytes = 6000;
constexpr std::size_t kSiblingBytes = 1200;
constexpr std::size_t kRefusalBytes = 1200;
constexpr std::size_t kShortAnswerBytes = 2000;

// One piece of a value that can be left out.
struct Part {
  std::string value;  // name in the templates
  std::string label;  // for Prompt::left_out
  int usefulness = 0;
  std::string text;
  bool dropped = false;
};

// Greater stays longer. Lists lose their last members first.
enum Usefulness {
  kElitesText = 30,
  kTried = 45,
  kStrategies = 50,
  kElites = 55,
  kSiblings = 65,
  kParentOfFailed = 70,
  kDevice = 80,
  kDialect = 85,
  kShapes = 90
};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
  }
  return text;
}

std::vector<std::string> variant_names(const KernelSource& kernel) {
  std::vector<std::string> names;
  for (const Variant& variant : kernel.plan().variants) {
    names.push_back(variant.name);
  }
  return names;
}

std::string without_line_end(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

// Everything in the request that somebody else wrote.
std::vector<std::string_view> foreign_texts(const ProposalRequest& request) {
  std::vector<std::string_view> texts;
  const auto add = [&](const Exemplar& exemplar) {
    texts.push_back(exemplar.candidate.text);
    texts.push_back(exemplar.candidate.summary);
    texts.push_back(exemplar.outcome.message);
  };
  add(request.parent);
  if (request.failed) add(*request.failed);
  for (const Exemplar& each : request.inspirations) add(each);
  for (const Exemplar& each : request.failed_siblings) add(each);
  for (const TriedIdea& each : request.tried) texts.push_back(each.summary);
  return texts;
}

class Writer {
 public:
  Writer(const PromptFiles& files, const PromptFacts& facts,
         const ProposalRequest& request, const KernelSource& parent,
         const std::string& operation)
      : files_(files),
        facts_(facts),
        request_(request),
        parent_(parent),
        operation_(operation),
        fence_(request.rng_seed, foreign_texts(request)) {}

  Result<Prompt> write(int64_t max_tokens) {
    add_constants();
    add_parent();
    add_history();
    add_elites();
    Prompt prompt{{}, fence_, 0, {}};
    std::vector<std::size_t> order(parts_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
      return parts_[a].usefulness < parts_[b].usefulness;
    });
    auto next = order.begin();
    while (true) {
      prompt.messages = messages();
      prompt.tokens = estimate_tokens(prompt.messages);
      int64_t excess = prompt.tokens - max_tokens;
      if (excess <= 0) return prompt;
      if (next == order.end()) break;
      for (; next != order.end() && excess > 0; ++next) {
        Part& part = parts_[*next];
        part.dropped = true;
        excess -= estimate_tokens(part.text);
        prompt.left_out.push_back(part.label);
      }
    }
    return failed(fmt::format(
        "the prompt needs {} tokens without anything that can be left out, "
        "and may have {}; raise prompt_tokens",
        prompt.tokens, max_tokens));
  }

 private:
  void add(std::string value, std::string label, int usefulness,
           std::string text) {
    if (text.empty()) return;
    parts_.push_back({std::move(value), std::move(label), usefulness,
                      std::move(text), false});
  }

  std::string own_text(const std::string& name) const {
    return without_line_end(files_.at(name).fill(values_));
  }

  void add_constants() {
    const ProblemSignature& signature = facts_.signature;
    values_["dialect"] = to_string(facts_.dialect);
    values_["problem"] = signature.name;
    values_["tensors"] = tensors_text(signature);
    values_["constants"] = joined(signature.constants);
    values_["sizes"] = joined(signature.sizes);
    values_["scalars"] = joined(signature.scalars);
    values_["operation"] = operation_;
    values_["nonce"] = fence_.word();
    if (request_.attempt > 0) {
      values_["attempt"] = std::to_string(request_.attempt);
    }
    values_["contract"] = own_text("contract");
    values_["answer"] = own_text("answer");
    add("dialect_rules", "rules of the dialect", kDialect,
        own_text("dialect_" + std::string(to_string(facts_.dialect))));
    add("device", "device", kDevice, device_text(facts_));
    add("shapes", "workload", kShapes, shapes_text(facts_));
  }

  void add_parent() {
    const Candidate& candidate = request_.parent.candidate;
    std::string about = origin_text(candidate) + "\n" +
                        measurements_text(request_.parent.outcome, facts_);
    const std::string compiled =
        compiler_text(request_.parent.outcome, variant_names(parent_));
    if (!compiled.empty()) about += "\n" + compiled;
    const std::string seen = profile_text(request_.parent.outcome);
    if (!seen.empty()) about += "\n" + seen;
    values_["parent"] = without_line_end(
        fence_.around(fmt::format("candidate {}", candidate.id), about));
    const std::string file =
        fence_.around(fmt::format("the kernel file of candidate {}, {}",
                                  candidate.id, parent_.path()),
                      parent_.text());
    if (operation_ != "repair") {
      values_["parent_file"] = without_line_end(file);
      return;
    }
    add("parent_file", "the file that the failed one was made from",
        kParentOfFailed, file);
    const Exemplar& failed = *request_.failed;
    values_["failure"] = without_line_end(fence_.around(
        fmt::format("what became of candidate {}", failed.candidate.id),
        origin_text(failed.candidate) + "\n" +
            shortened(failure_text(failed.outcome), kFailureBytes)));
    values_["failed_file"] = without_line_end(
        fence_.around(fmt::format("the kernel file of candidate {}, {}",
                                  failed.candidate.id, parent_.path()),
                      failed.candidate.text));
  }

  // Lines of a table or list inside one fence: the parts between are dropped
  // one by one.
  void add_history() {
    const std::string table =
        strategies_text(request_.strategies, kMostStrategies);
    if (!table.empty()) {
      add("strategies", "what strategies gave", kStrategies,
          fence_.around("strategies of this run", table));
    }
    for (std::size_t i = 0; i < std::min(request_.tried.size(), kMostTried);
         ++i) {
      const TriedIdea& idea = request_.tried[i];
      add("tried", fmt::format("idea of candidate {}", idea.candidate),
          kTried - static_cast<int>(i), tried_text(idea));
    }
    const auto& siblings = request_.failed_siblings;
    for (std::size_t i = 0; i < std::min(siblings.size(), kMostSiblings); ++i) {
      const Exemplar& sibling = siblings[i];
      add("siblings",
          fmt::format("failure of candidate {}", sibling.candidate.id),
          kSiblings - 3 * static_cast<int>(i),
          fence_.around(
              fmt::format("candidate {}", sibling.candidate.id),
              origin_text(sibling.candidate) + "\n" +
                  shortened(failure_text(sibling.outcome), kSiblingBytes)));
    }
  }

  void add_elites() {
    if (operation_ == "repair") return;
    const auto& elites = request_.inspirations;
    for (std::size_t i = 0; i < std::min(elites.size(), kMostElites); ++i) {
      const Candidate& candidate = elites[i].candidate;
      const int later = 3 * static_cast<int>(i);
      add("elites", fmt::format("candidate {}", candidate.id), kElites - later,
          fence_.around(fmt::format("candidate {}", candidate.id),
                        origin_text(candidate) + "\n" +
                            measurements_text(elites[i].outcome, facts_)));
      // A crossover needs the other one's text.
      const bool needed = operation_ == "crossover" && i == 0;
      add("elites", fmt::format("text of candidate {}", candidate.id),
          needed ? kElites + 1 : kElitesText - later,
          fence_.around(
              fmt::format("the kernel file of candidate {}", candidate.id),
              candidate.text));
    }
  }

  std::vector<LlmMessage> messages() const {
    PromptValues values = values_;
    for (const Part& part : parts_) {
      if (!part.dropped) values[part.value] += part.text;
    }
    // Each idea is one line, so what others wrote of them shares a fence.
    auto& tried = values["tried"];
    if (!tried.empty()) tried = fence_.around("ideas of this run", tried);
    for (const Part& part : parts_) {
      values[part.value] = without_line_end(values[part.value]);
    }
    return {{"system", files_.at("system").fill(values)},
            {"user", files_.at(operation_).fill(values)}};
  }

  const PromptFiles& files_;
  const PromptFacts& facts_;
  const ProposalRequest& request_;
  const KernelSource& parent_;
  const std::string& operation_;
  DataFence fence_;
  PromptValues values_;
  std::vector<Part> parts_;  // in the order of the text
};

}  // namespace

Result<Prompt> make_prompt(const PromptFiles& files, const PromptFacts& facts,
                           const ProposalRequest& request,
                           const KernelSource& parent,
                           const std::string& operation, int64_t max_tokens) {
  return Writer(files, facts, request, parent, operation).write(max_tokens);
}

Result<std::vector<LlmMessage>> make_correction(const PromptFiles& files,
                                                const Prompt& prompt,
                                                const std::string& answer,
                                                const std::string& refusal,
                                                int64_t max_tokens) {
  std::vector<LlmMessage> messages = prompt.messages;
  PromptValues values;
  values["nonce"] = prompt.fence.word();
  values["refusal"] = without_line_end(
      prompt.fence.around("why", shortened(refusal, kRefusalBytes)));
  messages.push_back({"assistant", fit_for_prompt(answer)});
  messages.push_back({"user", files.at("correction").fill(values)});
  if (estimate_tokens(messages) > max_tokens) {
    messages[messages.size() - 2].content =
        fit_for_prompt(shortened(answer, kShortAnswerBytes));
  }
  if (estimate_tokens(messages) > max_tokens) {
    return failed("no room in the prompt to tell the model: " + refusal);
  }
  return messages;
}

}  // namespace evoke::llm
