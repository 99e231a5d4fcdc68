// What is asked for next: the half of Evolution that fills free slots. Every
// choice is a function of what is known and of what is in flight, drawn from
// a stream named after the proposal.
#include <algorithm>
#include <utility>

#include "evoke/evolution/evolution.h"

namespace evoke {

Evolution::Slot* Evolution::find_slot(CandidateId id) {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(),
                   [id](const Slot& slot) { return slot.id == id; });
  return found == slots_.end() ? nullptr : &*found;
}

bool Evolution::confirming() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.evaluation.purpose == EvaluationPurpose::confirm;
  });
}

std::optional<StopReason> Evolution::ended() const {
  if (outside_) return outside_;
  if (state_.stopping()) return state_.stopping();
  if (retired_all_) return StopReason::no_proposer;
  if (!budget_.allows_proposal(proposals_ - state_.forgiven())) {
    return StopReason::iterations;
  }
  return std::nullopt;
}

void Evolution::fill(std::vector<Effect>& effects) {
  for (const CandidateId id : state_.population().take_remeasures()) {
    remeasures_.push_back(id);
  }
  drop_late_slots();
  const int capacity = config_.workers + config_.proposals_ahead;
  while (slots_in(kWorkers) < capacity && fill_one(effects)) {
  }
  // Nobody who answers at once: workers that are busy keep no lane empty.
  const auto& proposers = config_.proposers;
  const bool all_slow = std::all_of(
      proposers.begin(), proposers.end(),
      [](const ProposerConfig& each) { return each.in_flight > 0; });
  while (all_slow && state_.founders_judged() && !ended() && add_proposal()) {
  }
  add_open_slots();
  if (slots_.empty() && !said_stopped_) {
    said_stopped_ = true;
    const StopReason reason = ended().value_or(StopReason::requested);
    effects.push_back({"stopped", {{"reason", to_string(reason)}}});
  }
}

bool Evolution::fill_one(std::vector<Effect>& effects) {
  if (ended()) return add_confirm(effects);
  if (add_founder()) return true;
  if (!state_.founders_judged()) return false;
  return add_confirm(effects) || add_remeasure() || add_proposal();
}

bool Evolution::add_founder() {
  if (founders_asked_ == founders_.size()) return false;
  Slot slot;
  slot.evaluation.candidate = founders_[founders_asked_++];
  slot.id = slot.evaluation.candidate.id;
  next_id_ = std::max(next_id_, slot.id + 1);
  slots_.push_back(std::move(slot));
  return true;
}

void Evolution::add_evaluation(CandidateId id, EvaluationPurpose purpose) {
  Slot slot;
  slot.id = id;
  slot.evaluation.purpose = purpose;
  slot.evaluation.candidate = state_.population().body_of(id)->candidate;
  set_rival(slot.evaluation);
  slots_.push_back(std::move(slot));
}

void Evolution::set_rival(EvaluationRequest& request) const {
  request.rival_text.clear();
  if (request.purpose != EvaluationPurpose::confirm) return;
  const auto rival = state_.confirmation().rival(state_.population());
  if (rival && rival->id() != request.candidate.id) {
    request.rival_text = rival->body->candidate.text;
  }
}

bool Evolution::add_confirm(std::vector<Effect>& effects) {
  const auto reason = ended();
  if (confirming() || reason == StopReason::infrastructure) return false;
  const Confirmation& confirmation = state_.confirmation();
  CandidateId id = 0;
  if (!reason) {
    const double time_left_s = budget_.time_left_s(state_.elapsed_s());
    if (confirmation.due(time_left_s))
      id = confirmation.contender(state_.population());
  } else if (slots_.empty()) {
    // The last word comes when everything else has come in.
    const int last = config_.confirmation.last;
    const bool try_again = confirmation.best() == nullptr;
    if (last_confirms_ == 0 || (try_again && last_confirms_ < last)) {
      id = confirmation.contender(state_.population());
    }
    if (id == 0 && last_confirms_ <= last) {
      id = confirmation.fallback(state_.population());
    }
  }
  if (id == 0 || find_slot(id)) return false;
  const Population& population = state_.population();
  if (confirmation.needs_more(population.body_of(id)->candidate,
                              *population.find(id))) {
    add_evaluation(id, EvaluationPurpose::remeasure);
    return true;
  }
  if (reason) ++last_confirms_;
  add_evaluation(id, EvaluationPurpose::confirm);
  effects.push_back({"confirm_requested", {{"candidate", id}}});
  return true;
}

bool Evolution::add_remeasure() {
  std::deque<CandidateId> later;
  bool added = false;
  while (!remeasures_.empty() && !added) {
    const CandidateId id = remeasures_.front();
    remeasures_.pop_front();
    const Entry* entry = state_.population().find(id);
    if (!entry || !entry->remeasuring || entry->seats == 0) continue;
    if (find_slot(id)) {
      later.push_back(id);  // it is being judged just now
      continue;
    }
    add_evaluation(id, EvaluationPurpose::remeasure);
    added = true;
  }
  remeasures_.insert(remeasures_.begin(), later.begin(), later.end());
  return added;
}

int Evolution::lane_of(const Candidate& candidate) const {
  if (candidate.generation == 0) return kWorkers;
  for (std::size_t i = 0; i < config_.proposers.size(); ++i) {
    const ProposerConfig& proposer = config_.proposers[i];
    if (proposer.in_flight > 0 &&
        proposer_of(candidate.proposer) == proposer.name) {
      return static_cast<int>(i);
    }
  }
  return kWorkers;
}

std::ptrdiff_t Evolution::slots_in(int lane) const {
  return std::count_if(slots_.begin(), slots_.end(),
                       [lane](const Slot& slot) { return slot.lane == lane; });
}

template <typename Condition>
void Evolution::drop_slots(Condition condition) {
  for (const Slot& slot : slots_) {
    if (slot.state == SlotState::proposing && condition(slot)) {
      withdrawn_.push_back(slot.id);
    }
  }
  std::erase_if(slots_, [&](const Slot& slot) {
    const bool answered =
        slot.state == SlotState::ready || slot.state == SlotState::evaluating;
    return !answered && condition(slot);
  });
}

void Evolution::drop_late_slots() {
  const auto reason = ended();
  if (!reason) return;
  // Proposals within a budget of iterations are waited for.
  const bool wait =
      *reason == StopReason::iterations || *reason == StopReason::no_proposer;
  drop_slots([&](const Slot& slot) {
    return outside_.has_value() || slot.state == SlotState::open ||
           (slot.lane >= 0 && !wait);
  });
}

// As many as may be judged at a time; which ids they get is a function of the
// applied outcomes, whether somebody comes or not.
void Evolution::add_open_slots() {
  if (!state_.founders_judged() || ended()) return;
  while (slots_in(kUnasked) < config_.unasked) {
    Slot slot;
    slot.state = SlotState::open;
    slot.lane = kUnasked;
    slot.id = next_id_++;
    slots_.push_back(std::move(slot));
  }
}

std::shared_ptr<const Exemplar> Evolution::find_mendable() const {
  const bool mended =
      std::any_of(state_.arms().begin(), state_.arms().end(),
                  [](const Arm& arm) { return arm.operation == kRepair; });
  if (!mended) return nullptr;
  for (const auto& failure : state_.history().unmended()) {
    const Candidate& candidate = failure->candidate;
    if (lane_of(candidate) < 0) continue;  // nobody who could learn from it
    const bool in_hand =
        std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
          return slot.request.failed &&
                 slot.request.failed->candidate.id == candidate.id;
        });
    if (!in_hand && state_.population().body_of(candidate.parents.front())) {
      return failure;
    }
  }
  return nullptr;
}

// With what else is in flight in mind; nullptr: no arm has room.
const Arm* Evolution::choose_arm(bool can_repair, Rng& rng) const {
  const std::vector<Arm>& arms = state_.arms();
  std::vector<bool> open(arms.size());
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const Arm& arm = arms[i];
    const int limit = config_.proposers[arm.proposer].in_flight;
    open[i] = limit == 0 || slots_in(static_cast<int>(arm.proposer)) < limit;
    if (arm.operation == kRepair && !can_repair) open[i] = false;
    if (retired_.contains(config_.proposers[arm.proposer].name)) {
      open[i] = false;
    }
  }
  if (std::find(open.begin(), open.end(), true) == open.end()) return nullptr;
  if (arms.size() == 1) return &arms.front();
  const Bandit& bandit = state_.bandit();
  std::vector<int> in_flight(arms.size(), 0);
  for (const Slot& other : slots_) {
    const ProposalRequest& request = other.request;
    if (request.id == 0) continue;
    const std::size_t arm =
        bandit.index_of(arm_name(request.proposer, request.operation));
    if (arm < in_flight.size()) ++in_flight[arm];
  }
  return &arms[bandit.choose(in_flight, rng, open)];
}

bool Evolution::add_proposal() {
  const std::vector<Island>& islands = state_.population().islands();
  const std::size_t count = islands.size();
  std::size_t island = static_cast<std::size_t>(proposals_) % count;
  for (std::size_t i = 0; i < count && islands[island].archive.empty(); ++i) {
    island = (island + 1) % count;
  }
  if (islands[island].archive.empty()) return false;

  Slot slot;
  slot.state = SlotState::unasked;
  slot.id = next_id_;
  Rng rng = state_.rng().fork("proposal/" + std::to_string(slot.id));
  const Member* parent =
      &selector_.select(islands[island].archive, rng).elite->member;
  // Chosen by rank and cell; a repair needs the parent of what it mends.
  Body body = parent->body;
  double fitness = parent->score.fitness().value;
  std::vector<const Elite*> shown = selector_.inspirations(
      islands[island].archive, parent->id(), config_.inspirations, rng);
  const auto mendable = find_mendable();
  const Arm* arm = choose_arm(mendable != nullptr, rng);
  if (!arm) return false;

  ProposalRequest& request = slot.request;
  if (arm->operation == kRepair) {
    request.failed = *mendable;
    island = static_cast<std::size_t>(mendable->candidate.island) % count;
    const CandidateId id = mendable->candidate.parents.front();
    body = state_.population().body_of(id);
    fitness = state_.population().find(id)->score->fitness().value;
    std::erase_if(shown, [id](const Elite* each) { return each->id() == id; });
  }
  request.id = slot.id;
  request.island = static_cast<int>(island);
  request.proposer = arm->source;
  request.operation = arm->operation;
  request.parent = *body;
  for (const Elite* elite : shown) {
    request.inspirations.push_back(*elite->member.body);
  }
  if (config_.proposers[arm->proposer].in_flight > 0) {
    slot.lane = static_cast<int>(arm->proposer);
    state_.history().tell(request);
  }
  request.rng_seed = rng.next();
  // Timing may stop once the child is clearly worse than its parent, which
  // holds the cell that it will most likely meet.
  slot.evaluation.stop_below_fitness = fitness;
  ++next_id_;
  ++proposals_;
  slots_.push_back(std::move(slot));
  return true;
}

std::string Evolution::fingerprint() const {
  Fingerprint fingerprint;
  fingerprint.add(state_.fingerprint());
  for (const Slot& slot : slots_) {
    fingerprint.add(slot.id);
    fingerprint.add(slot.lane);
    fingerprint.add(static_cast<int>(slot.evaluation.purpose));
    fingerprint.add(slot.evaluation.stop_below_fitness);
    fingerprint.add(slot.evaluation.rival_text);
    fingerprint.add(slot.request.id);
    fingerprint.add(slot.request.island);
    fingerprint.add(slot.request.proposer);
    fingerprint.add(slot.request.operation);
    fingerprint.add(slot.request.parent.candidate.id);
    for (const Exemplar& shown : slot.request.inspirations) {
      fingerprint.add(shown.candidate.id);
    }
  }
  for (const CandidateId id : remeasures_) fingerprint.add(id);
  fingerprint.add(founders_asked_);
  fingerprint.add(next_id_);
  fingerprint.add(proposals_);
  fingerprint.add(last_confirms_);
  return fingerprint.hex();
}

}  // namespace evoke
