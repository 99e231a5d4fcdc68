// What comes in from proposers: the half of Evolution that turns answers into
// candidates.
#include <algorithm>
#include <utility>

#include "evoke/base/hash.h"
#include "evoke/evolution/evolution.h"

namespace evoke {
namespace {

ProposalCost sum_of(const ProposalCost& a, const ProposalCost& b) {
  ProposalCost sum{a.seconds + b.seconds, {}};
  if (a.usd && b.usd) sum.usd = *a.usd + *b.usd;
  return sum;
}

}  // namespace

Candidate Evolution::make_candidate(const ProposalRequest& request) const {
  Candidate candidate;
  candidate.id = request.id;
  candidate.parents = {request.parent.candidate.id};
  for (const Exemplar& shown : request.inspirations) {
    candidate.inspirations.push_back(shown.candidate.id);
  }
  candidate.island = request.island;
  candidate.generation = request.parent.candidate.generation + 1;
  candidate.proposer = request.proposer;
  candidate.operation = request.operation;
  return candidate;
}

CandidateId Evolution::owner_of(const std::string& genome_hash) const {
  const CandidateId judged = state_.novelty().owner(genome_hash);
  if (judged != 0) return judged;
  for (const Slot& slot : slots_) {
    if (slot.evaluation.candidate.genome_hash == genome_hash) return slot.id;
  }
  return 0;
}

std::optional<Step> Evolution::answer(const ProposalAnswer& answer,
                                      double elapsed_s) {
  Slot* slot = find_slot(answer.id);
  if (!slot && ended()) return std::nullopt;  // it was dropped
  if (!slot || slot->state != SlotState::proposing) {
    throw UsageError("[Evolution::answer] proposal " +
                     std::to_string(answer.id) +
                     " was not asked for. Answer each request once.");
  }
  const Result<Proposal>& proposal = answer.proposal;
  slot->cost = sum_of(slot->cost, answer.cost);
  Step step;
  step.elapsed_s = elapsed_s;
  step.candidate = make_candidate(slot->request);
  step.candidate.cost = slot->cost;
  step.outcome.candidate = answer.id;
  if (!proposal) {
    const bool absent = proposal.error().kind == ErrorKind::absent;
    step.outcome.kind =
        absent ? OutcomeKind::duplicate : OutcomeKind::infrastructure_failed;
    step.outcome.stage = absent ? Stage::novelty : Stage::plan;
    step.outcome.message = proposal.error().message;
    return absorb(std::move(step));
  }
  Candidate& candidate = step.candidate;
  candidate.text = proposal->text;
  candidate.summary = proposal->summary;
  candidate.strategies = proposal->strategies;
  if (!proposal->parents.empty()) candidate.parents = proposal->parents;
  if (!proposal->operation.empty()) candidate.operation = proposal->operation;
  if (!proposal->proposer.empty()) candidate.proposer = proposal->proposer;
  candidate.genome_hash = hash_hex(candidate.text);

  const CandidateId owner = owner_of(candidate.genome_hash);
  // Its own, too: a duplicate of what was in flight when a run was killed may
  // have been recorded before it.
  if (owner == 0 || owner == answer.id) {
    slot->evaluation.candidate = std::move(candidate);
    slot->state = SlotState::ready;
    return std::nullopt;
  }
  const int attempts =
      slot->lane >= 0 ? config_.slow_attempts : config_.attempts;
  if (++slot->request.attempt < attempts) {
    slot->request.rng_seed = Rng(slot->request.rng_seed).fork("attempt").next();
    slot->state = SlotState::unasked;
    return std::nullopt;
  }
  step.outcome.kind = OutcomeKind::duplicate;
  step.outcome.stage = Stage::novelty;
  step.outcome.duplicate_of = owner;
  step.outcome.message =
      "the same genome as candidate " + std::to_string(owner);
  note_operation(*slot, step);
  return absorb(std::move(step));
}

// After the end, too: whoever waits for an answer is refused.
bool Evolution::takes_submissions() const {
  return ended() ||
         std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
           return slot.state == SlotState::open;
         });
}

Result<CandidateId> Evolution::submit(const Proposal& proposal) {
  if (ended()) {
    return failed(
        "the search takes no more; start another one, or resume it with more "
        "iterations");
  }
  const auto slot = std::find_if(
      slots_.begin(), slots_.end(),
      [](const Slot& each) { return each.state == SlotState::open; });
  if (slot == slots_.end()) return absent("no room just now");
  const std::string hash = hash_hex(proposal.text);
  const CandidateId owner = owner_of(hash);
  if (owner != 0 && owner != slot->id) {
    return failed("the same genome as candidate " + std::to_string(owner));
  }
  Candidate& candidate = slot->evaluation.candidate;
  candidate.id = slot->id;
  candidate.text = proposal.text;
  candidate.genome_hash = hash;
  candidate.generation = 1;
  for (const CandidateId parent : proposal.parents) {
    const Entry* entry = state_.population().find(parent);
    if (!entry || !entry->score) continue;  // unknown, or it failed
    candidate.parents.push_back(parent);
    candidate.generation =
        std::max(candidate.generation, entry->lineage.generation + 1);
  }
  const auto islands =
      static_cast<CandidateId>(state_.population().islands().size());
  candidate.island = static_cast<int>(slot->id % islands);
  candidate.proposer = proposal.proposer;
  candidate.operation = proposal.operation;
  candidate.summary = proposal.summary;
  candidate.strategies = proposal.strategies;
  slot->state = SlotState::ready;
  return slot->id;
}

void Evolution::retire(const std::string& proposer) {
  retired_.insert(proposer);
  const auto& proposers = config_.proposers;
  const bool none_left = std::all_of(
      proposers.begin(), proposers.end(),
      [&](const ProposerConfig& each) { return retired_.contains(each.name); });
  if (none_left) retired_all_ = true;
  std::vector<Effect> none;
  fill(none);
}

std::vector<CandidateId> Evolution::take_withdrawn() {
  return std::exchange(withdrawn_, {});
}

}  // namespace evoke
