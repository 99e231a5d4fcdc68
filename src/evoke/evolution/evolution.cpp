#include "evoke/evolution/evolution.h"

#include <algorithm>
#include <utility>

#include "evoke/base/hash.h"

namespace evoke {
namespace {

// A recorded id may be this far ahead of those known: more workers were at
// work then.
constexpr CandidateId kMaxIdGap = 100000;

const EvolutionConfig& checked(const EvolutionConfig& config,
                               const std::vector<Founder>& founders) {
  if (founders.empty()) {
    throw UsageError("[Evolution] no seed kernel. Name at least one.");
  }
  if (config.workers < 1 || config.proposals_ahead < 0 || config.attempts < 1 ||
      config.slow_attempts < 1 || config.unasked < 0) {
    throw UsageError(
        "[Evolution] workers and attempts must be 1 or more, "
        "proposals_ahead and unasked 0 or more.");
  }
  return config;
}

std::vector<Candidate> candidates_of(const std::vector<Founder>& founders,
                                     const std::string& proposer) {
  std::vector<Candidate> candidates;
  for (const Founder& founder : founders) {
    Candidate candidate;
    candidate.text = founder.text;
    candidate.genome_hash = hash_hex(founder.text);
    const bool known = std::any_of(
        candidates.begin(), candidates.end(), [&](const Candidate& other) {
          return other.genome_hash == candidate.genome_hash;
        });
    if (known) continue;
    candidate.id = static_cast<CandidateId>(candidates.size()) + 1;
    candidate.proposer = proposer;
    candidate.summary = founder.summary;
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

// Says what is asked for, and not what became of an outcome: that depends on
// the budget and on who pressed Ctrl-C, too.
bool is_request(const Effect& effect) {
  return effect.kind == "confirm_requested" || effect.kind == "stopped";
}

bool same_consequences(std::vector<Effect> a, std::vector<Effect> b) {
  std::erase_if(a, is_request);
  std::erase_if(b, is_request);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Effect& x, const Effect& y) {
                      return x.kind == y.kind && x.detail == y.detail;
                    });
}

}  // namespace

Evolution::Evolution(const EvolutionConfig& config,
                     const std::vector<Founder>& founders)
    : config_(checked(config, founders)),
      founders_(candidates_of(founders, "founder")),
      selector_(config.selection),
      budget_(config.budget),
      state_(config, static_cast<int64_t>(founders_.size())) {
  for (const Founder& founder : founders) {
    const std::string hash = hash_hex(founder.text);
    for (const Candidate& candidate : founders_) {
      if (candidate.genome_hash != hash) continue;
      for (const std::string& spelling : founder.spellings) {
        state_.know_spelling(hash_hex(spelling), candidate.id);
      }
    }
  }
  std::vector<Effect> none;
  fill(none);
}

Action Evolution::next() {
  const auto evaluating = std::count_if(
      slots_.begin(), slots_.end(),
      [](const Slot& slot) { return slot.state == SlotState::evaluating; });
  // In order of creation: so those in flight are always the oldest ones, be
  // it a live run or one that was resumed.
  for (Slot& slot : slots_) {
    if (slot.state == SlotState::unasked) {
      slot.state = SlotState::proposing;
      return slot.request;
    }
    if (slot.state == SlotState::ready && evaluating < config_.workers) {
      slot.state = SlotState::evaluating;
      return slot.evaluation;
    }
  }
  if (!slots_.empty()) return WaitAction{};
  return StopAction{ended().value_or(StopReason::requested)};
}

Step Evolution::apply(Outcome outcome, double elapsed_s) {
  const Slot* slot = find_slot(outcome.candidate);
  if (!slot || slot->state != SlotState::evaluating) {
    throw UsageError("[Evolution::apply] candidate " +
                     std::to_string(outcome.candidate) +
                     " is not being judged. Report each outcome once.");
  }
  Step step;
  step.candidate = slot->evaluation.candidate;
  step.purpose = slot->evaluation.purpose;
  step.outcome = std::move(outcome);
  step.elapsed_s = elapsed_s;
  note_operation(*slot, step);
  return absorb(std::move(step));
}

void Evolution::note_operation(const Slot& slot, Step& step) {
  const ProposalRequest& request = slot.request;
  const Candidate& candidate = step.candidate;
  if (request.operation.empty()) return;
  const std::string& source = request.proposer;
  // A request that names no model leaves it to the proposer.
  const bool same_source =
      source == candidate.proposer || source == proposer_of(candidate.proposer);
  if (same_source && request.operation == candidate.operation) return;
  Json& details = step.outcome.details;
  if (details.is_null()) details = Json::object();
  if (!details.is_object()) return;
  details[kRequestedOperation] =
      same_source ? request.operation : arm_name(source, request.operation);
}

Result<void> Evolution::replay(const Step& step) {
  const CandidateId id = step.candidate.id;
  const std::string where = "step " + std::to_string(step.sequence);
  if (step.sequence != state_.sequence() + 1) {
    return failed(where + ": expected step " +
                  std::to_string(state_.sequence() + 1) +
                  "; the record has a gap");
  }
  if (id < 1 || id >= next_id_ + kMaxIdGap || step.outcome.candidate != id) {
    return failed(where + ": candidate " + std::to_string(id) +
                  " cannot be; the record is damaged");
  }
  const auto index = static_cast<std::size_t>(id) - 1;
  if (index < founders_.size() &&
      founders_[index].genome_hash != step.candidate.genome_hash) {
    return failed(where + ": seed " + std::to_string(id) +
                  " has changed since the run began; resume with the seeds "
                  "it was started with");
  }
  next_id_ = std::max(next_id_, id + 1);
  replaying_ = true;
  const Step own = absorb(step);
  replaying_ = false;
  if (diverged_at_ == 0 && !same_consequences(own.effects, step.effects)) {
    diverged_at_ = step.sequence;
  }
  return {};
}

Step Evolution::absorb(Step step) {
  step.sequence = state_.sequence() + 1;
  Slot* slot = find_slot(step.candidate.id);
  const SearchState::Applied applied = state_.apply(step);
  // No part of what is replayed: a run goes on once the fault is mended.
  if (!replaying_ && !outside_ &&
      state_.broken() >= config_.infrastructure_limit) {
    outside_ = StopReason::infrastructure;
  }
  if (!applied.again) {
    std::erase_if(
        slots_, [&](const Slot& each) { return each.id == step.candidate.id; });
  } else {
    if (!slot) {
      slots_.emplace_back();
      slot = &slots_.back();
      slot->id = step.candidate.id;
      slot->lane = lane_of(step.candidate);
    }
    slot->evaluation.candidate = step.candidate;
    slot->evaluation.purpose = step.purpose;
    set_rival(slot->evaluation);  // which may have failed in the meantime
    slot->state = SlotState::ready;
  }
  fill(step.effects);
  return step;
}

void Evolution::request_stop() {
  outside_ = StopReason::requested;
  std::vector<Effect> none;
  fill(none);
}

void Evolution::pass_time(double elapsed_s) {
  const double limit_s = config_.budget.time_s;
  if (ended() || !(limit_s > 0) || elapsed_s < limit_s) return;
  outside_ = StopReason::time;
  std::vector<Effect> none;
  fill(none);
}

SearchStatus Evolution::status() const {
  SearchStatus status;
  status.sequence = state_.sequence();
  status.iterations = proposals_ - state_.forgiven();
  status.judged = state_.judged();
  status.elapsed_s = state_.elapsed_s();
  for (const Slot& slot : slots_) {
    if (slot.state == SlotState::evaluating) ++status.evaluating;
    if (slot.state == SlotState::proposing) ++status.proposing;
  }
  for (const Island& island : state_.population().islands()) {
    status.occupied_cells += static_cast<int>(island.archive.size());
  }
  if (const Member* best = state_.confirmation().best()) {
    status.best = best->id();
    status.best_fitness = best->score.fitness();
  }
  status.stopping = ended();
  status.finished = slots_.empty();
  return status;
}

const Exemplar* Evolution::best() const {
  const Member* best = state_.confirmation().best();
  return best ? best->body.get() : nullptr;
}

}  // namespace evoke
