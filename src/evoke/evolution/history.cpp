#include "evoke/evolution/history.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace evoke {
namespace {

constexpr std::size_t kMaxTag = 40;

// Not inside a character.
std::string cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80)
    --bytes;
  return std::string(text.substr(0, bytes));
}

}  // namespace

std::string normalised_tag(std::string_view tag) {
  std::string normal;
  for (const char c : tag) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || byte >= 0x80) {
      normal.push_back(static_cast<char>(std::tolower(byte)));
    } else if (!normal.empty() && normal.back() != '-') {
      normal.push_back('-');
    }
  }
  normal = cut(normal, kMaxTag);
  while (!normal.empty() && normal.back() == '-') normal.pop_back();
  return normal;
}

void History::add(const Step& step, std::optional<double> gain, bool improved) {
  const Candidate& candidate = step.candidate;
  Attempt attempt;
  attempt.candidate = candidate.id;
  attempt.parent = candidate.parents.empty() ? 0 : candidate.parents.front();
  attempt.proposer = candidate.proposer;
  attempt.operation = candidate.operation;
  attempt.strategy = candidate.strategy;
  attempt.summary = candidate.summary;
  attempt.kind = step.outcome.kind;
  attempt.stage = step.outcome.stage;
  attempt.gain = gain;
  if (!gain) attempt.message = cut(step.outcome.message, Attempt::kMaxMessage);
  attempts_.push_back(std::move(attempt));
  if (attempts_.size() > config_.remembered) attempts_.pop_front();
  ++added_;

  const std::string tag = normalised_tag(candidate.strategy);
  const bool room =
      strategies_.size() < config_.tags || strategies_.contains(tag);
  if (tag.empty() || !room) return;
  StrategyRecord& strategy = strategies_[tag];
  strategy.tag = tag;
  ++strategy.tried;
  if (!gain) return;
  const double before = strategy.mean_gain * strategy.measured;
  strategy.best_gain =
      strategy.measured == 0 ? *gain : std::max(strategy.best_gain, *gain);
  ++strategy.measured;
  strategy.mean_gain = (before + *gain) / strategy.measured;
  if (improved) ++strategy.improved;
}

SearchHistory History::view(CandidateId parent) const {
  SearchHistory history;
  for (auto it = attempts_.rbegin(); it != attempts_.rend(); ++it) {
    const bool sibling = it->parent == parent;
    auto& list = sibling ? history.siblings : history.recent;
    if (list.size() < (sibling ? config_.siblings : config_.recent)) {
      list.push_back(*it);
    }
  }
  for (const auto& [tag, record] : strategies_) {
    history.strategies.push_back(record);
  }
  std::stable_sort(history.strategies.begin(), history.strategies.end(),
                   [](const StrategyRecord& a, const StrategyRecord& b) {
                     if ((a.measured > 0) != (b.measured > 0)) {
                       return a.measured > 0;
                     }
                     return a.best_gain > b.best_gain;
                   });
  if (history.strategies.size() > config_.strategies) {
    history.strategies.resize(config_.strategies);
  }
  return history;
}

void History::add_to(Fingerprint& fingerprint) const {
  fingerprint.add(added_);
  for (const auto& [tag, record] : strategies_) {
    fingerprint.add(tag);
    fingerprint.add(record.tried);
    fingerprint.add(record.improved);
    fingerprint.add(record.mean_gain);
    fingerprint.add(record.best_gain);
  }
}

}  // namespace evoke
