#include "evoke/evolution/history.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

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

// Whether a maker who is told what is wrong could do something about it.
bool is_mendable(const Step& step) {
  if (step.candidate.text.empty() || step.candidate.parents.empty()) {
    return false;
  }
  switch (step.outcome.kind) {
    case OutcomeKind::rejected_plan:
    case OutcomeKind::compile_failed:
    case OutcomeKind::incorrect:
    case OutcomeKind::out_of_bounds:
    case OutcomeKind::nondeterministic:
    case OutcomeKind::crashed:
    case OutcomeKind::timed_out:
      return true;
    default:
      return false;
  }
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

void History::add(const Step& step, double gain, bool improved) {
  const Candidate& candidate = step.candidate;
  ++added_;
  ideas_.push_back({candidate.id,
                    candidate.parents.empty() ? 0 : candidate.parents.front(),
                    candidate.operation, candidate.strategies,
                    candidate.summary, step.outcome.kind, gain});
  if (ideas_.size() > config_.ideas) ideas_.pop_front();
  count_strategies(candidate, gain, improved);

  // Whoever mends a candidate names it among the parents: one try each.
  std::erase_if(failures_, [&](const auto& failure) {
    const auto& parents = candidate.parents;
    return std::find(parents.begin(), parents.end(), failure->candidate.id) !=
           parents.end();
  });
  if (!is_mendable(step)) return;
  failures_.push_back(
      std::make_shared<const Exemplar>(Exemplar{candidate, step.outcome}));
  if (failures_.size() > config_.failures) failures_.pop_front();
}

void History::count_strategies(const Candidate& candidate, double gain,
                               bool improved) {
  std::set<std::string> tags;
  for (const std::string& each : candidate.strategies) {
    tags.insert(normalised_tag(each));
  }
  tags.erase("");
  for (const std::string& tag : tags) {
    if (!strategies_.contains(tag) &&
        strategies_.size() >= config_.strategies) {
      continue;
    }
    StrategyRecord& record = strategies_[tag];
    record.strategy = tag;
    ++record.tried;
    if (improved) ++record.improved;
    if (!(gain > 0)) ++record.failed;
    record.best_gain = std::max(record.best_gain, gain);
  }
}

void History::tell(ProposalRequest& request) const {
  const CandidateId parent = request.parent.candidate.id;
  for (auto it = failures_.rbegin(); it != failures_.rend(); ++it) {
    const Exemplar& failure = **it;
    if (request.failed_siblings.size() == config_.told_failures) break;
    if (failure.candidate.parents.front() != parent) continue;
    if (request.failed && request.failed->candidate.id == failure.candidate.id)
      continue;
    request.failed_siblings.push_back(failure);
  }
  // Children of the same parent come first.
  for (const bool siblings : {true, false}) {
    for (auto it = ideas_.rbegin(); it != ideas_.rend(); ++it) {
      if (request.tried.size() == config_.told_ideas) break;
      if ((it->parent == parent) == siblings) request.tried.push_back(*it);
    }
  }
  for (const auto& [tag, record] : strategies_) {
    request.strategies.push_back(record);
  }
  std::stable_sort(request.strategies.begin(), request.strategies.end(),
                   [](const StrategyRecord& a, const StrategyRecord& b) {
                     return a.tried > b.tried;
                   });
  if (request.strategies.size() > config_.told_strategies) {
    request.strategies.resize(config_.told_strategies);
  }
}

std::vector<std::shared_ptr<const Exemplar>> History::unmended() const {
  return {failures_.rbegin(), failures_.rend()};
}

void History::add_to(Fingerprint& fingerprint) const {
  fingerprint.add(added_);
  for (const auto& failure : failures_) fingerprint.add(failure->candidate.id);
  for (const auto& [tag, record] : strategies_) {
    fingerprint.add(tag);
    fingerprint.add(record.tried);
    fingerprint.add(record.improved);
    fingerprint.add(record.failed);
    fingerprint.add(record.best_gain);
  }
}

}  // namespace evoke
