// The search as a state machine: it says what to do next, is told what came
// of it, and gives one Step per applied outcome. No I/O, no clock, no
// threads. docs/search.md tells how it searches.
//
// Determinism: what is known is a fold over the applied outcomes
// (SearchState), and what is asked for after each of them is a function of
// what is known and of the applied prefix. So replaying recorded Steps gives
// the same state and asks again for what was in flight. A proposal is not
// recorded until its outcome is: a proposer that answers equal requests
// equally makes a resumed run equal to one that was never interrupted.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/evolution/evolution_config.h"
#include "evoke/evolution/interfaces/evaluator.h"
#include "evoke/evolution/interfaces/event_sink.h"
#include "evoke/evolution/interfaces/proposer.h"
#include "evoke/evolution/parent_selector.h"
#include "evoke/evolution/search_state.h"

namespace evoke {

struct Founder {
  std::string text;  // a kernel file, normalised
  std::string summary;
  // Other texts of the same kernel, such as the one in canonical form that
  // proposers would print: they count as judged with it.
  std::vector<std::string> spellings = {};
};

// Nothing to start: outcomes (or proposals) must come in first.
struct WaitAction {};
struct StopAction {
  StopReason reason = StopReason::iterations;
};
using Action =
    std::variant<ProposalRequest, EvaluationRequest, WaitAction, StopAction>;

struct SearchStatus {
  int64_t sequence = 0;    // steps applied
  int64_t iterations = 0;  // proposals made so far
  int64_t judged = 0;      // of those, judged
  double elapsed_s = 0;
  int evaluating = 0;
  int proposing = 0;
  int occupied_cells = 0;  // over all islands
  CandidateId best = 0;    // confirmed
  std::optional<Fitness> best_fitness;
  std::optional<StopReason> stopping;
  bool finished = false;
};

class Evolution {
 public:
  // Founders get the ids 1, 2, ...; a text given twice counts once. Throws
  // UsageError without founders and on unusable configurations.
  Evolution(const EvolutionConfig& config,
            const std::vector<Founder>& founders);

  // What to do now. A request is given once; it is answered with answer() or
  // apply(). Stop is given when nothing is in flight and nothing is left.
  Action next();

  // The answer to a proposal asked for; its text must be normalised. Gives a
  // Step when the proposal itself ends the matter: nothing new after several
  // attempts (`duplicate`), or a proposer that failed. An answer that came too
  // late is nothing.
  std::optional<Step> answer(const ProposalAnswer& answer, double elapsed_s);

  std::optional<Step> answer(CandidateId id, const Result<Proposal>& proposal,
                             double elapsed_s) {
    return answer({id, proposal, {}}, elapsed_s);
  }

  // A candidate that nobody asked for: the id under which it will be judged.
  // `absent`: no room just now, or not yet; `failed`: it will never be judged,
  // and why. Costs no iteration.
  Result<CandidateId> submit(const Proposal& proposal);
  bool takes_submissions() const;

  // Time passes without an outcome: a budget of time may be used up.
  void pass_time(double elapsed_s);
  // This proposer is not asked any more. Not part of what is replayed. The
  // search ends when none is left.
  void retire(const std::string& proposer);
  // Requests whose answers are not wanted any more, since the last call.
  std::vector<CandidateId> take_withdrawn();

  // An outcome that came in. Throws UsageError for an evaluation that is not
  // in flight.
  Step apply(Outcome outcome, double elapsed_s);

  // A recorded step, instead of living through it. Before the first next().
  // `failed`: a gap in the sequence, or other founders.
  Result<void> replay(const Step& step);
  // The first replayed step whose recorded effects differ from what this
  // configuration makes of it; 0: none. Then the search goes on from the
  // recorded outcomes, but not as the recorded run would have.
  int64_t diverged_at() const { return diverged_at_; }

  // Ends the search as an exhausted budget would. Not part of what is
  // replayed: a resumed run goes on.
  void request_stop();

  SearchStatus status() const;
  // The confirmed best; nullptr while there is none.
  const Exemplar* best() const;
  const SearchState& state() const { return state_; }
  // Of all that is known and asked for: equal after equal histories.
  std::string fingerprint() const;

 private:
  enum class SlotState { open, unasked, proposing, ready, evaluating };
  // Whose room a slot takes. A function of the candidate alone, so that what
  // is asked for next does not depend on when answers come.
  static constexpr int kWorkers = -1;
  static constexpr int kUnasked = -2;
  struct Slot {
    SlotState state = SlotState::ready;
    int lane = kWorkers;           // or the index of a proposer that is slow
    ProposalRequest request;       // of a proposal
    ProposalCost cost;             // of all attempts
    EvaluationRequest evaluation;  // filled in once the text is known
    CandidateId id = 0;
  };

  Step absorb(Step step);
  // Records in the outcome that another arm was asked for.
  static void note_operation(const Slot& slot, Step& step);
  std::optional<StopReason> ended() const;
  void fill(std::vector<Effect>& effects);
  bool fill_one(std::vector<Effect>& effects);
  bool add_founder();
  bool add_confirm(std::vector<Effect>& effects);
  bool add_remeasure();
  bool add_proposal();
  const Arm* choose_arm(bool can_repair, Rng& rng) const;
  // The latest failure that a proposer could mend; nullptr: there is none.
  std::shared_ptr<const Exemplar> find_mendable() const;
  void add_open_slots();
  void add_evaluation(CandidateId id, EvaluationPurpose purpose);
  int lane_of(const Candidate& candidate) const;
  std::ptrdiff_t slots_in(int lane) const;
  // Drops what nobody will wait for any more.
  void drop_late_slots();
  template <typename Condition>
  void drop_slots(Condition condition);
  void set_rival(EvaluationRequest& request) const;
  Slot* find_slot(CandidateId id);
  bool confirming() const;
  Candidate make_candidate(const ProposalRequest& request) const;
  CandidateId owner_of(const std::string& genome_hash) const;

  EvolutionConfig config_;
  std::vector<Candidate> founders_;
  ParentSelector selector_;
  Budget budget_;
  SearchState state_;

  std::vector<Slot> slots_;  // in order of creation
  std::deque<CandidateId> remeasures_;
  std::size_t founders_asked_ = 0;
  CandidateId next_id_ = 1;
  int64_t proposals_ = 0;          // asked for
  int last_confirms_ = 0;          // since the end of the budget
  std::set<std::string> retired_;  // proposers
  bool retired_all_ = false;
  std::vector<CandidateId> withdrawn_;
  std::optional<StopReason> outside_;  // ended by what is not an outcome
  bool replaying_ = false;
  bool said_stopped_ = false;
  int64_t diverged_at_ = 0;
};

}  // namespace evoke
