// What a search knows: a fold over the outcomes applied so far, each with its
// candidate and the time at which it came. Nothing here depends on what is in
// flight, so runs with one worker and with eight agree after the same
// outcomes in the same order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "evoke/base/rng.h"
#include "evoke/evolution/budget.h"
#include "evoke/evolution/confirmation.h"
#include "evoke/evolution/evolution_config.h"
#include "evoke/evolution/history.h"
#include "evoke/evolution/novelty.h"
#include "evoke/evolution/population.h"

namespace evoke {

// In Outcome::details of a proposal that another operation made than the one
// asked for: the name of that one, or of its arm when the model is another
// one, too.
inline constexpr const char* kRequestedOperation = "requested_operation";

class SearchState {
 public:
  SearchState(const EvolutionConfig& config, int64_t num_founders);

  // Before the first step: another text of a founder's kernel.
  void know_spelling(const std::string& genome_hash, CandidateId founder) {
    novelty_.claim(genome_hash, founder);
  }

  // Applies one outcome: sets step.effects. `again`: the evaluation failed
  // through no fault of the candidate and should be repeated.
  struct Applied {
    bool again = false;
  };
  Applied apply(Step& step);

  int64_t sequence() const { return sequence_; }
  double elapsed_s() const { return elapsed_s_; }
  // Why the search should end; nullopt: it should not.
  std::optional<StopReason> stopping() const { return stopping_; }
  // Failures of the machine or a service in a row.
  int broken() const { return broken_; }
  bool founders_judged() const { return founders_left_ <= 0; }
  // Proposals that failed for reasons of their own do not use up the budget.
  int64_t forgiven() const { return forgiven_; }
  int64_t judged() const { return judged_; }
  const std::array<int64_t, kNumOutcomeKinds>& counts() const {
    return counts_;
  }

  const Population& population() const { return population_; }
  Population& population() { return population_; }
  const Confirmation& confirmation() const { return confirmation_; }
  const Novelty& novelty() const { return novelty_; }
  const Bandit& bandit() const { return bandit_; }
  const std::vector<Arm>& arms() const { return arms_; }
  const History& history() const { return history_; }
  const Rng& rng() const { return root_; }

  std::string fingerprint() const;

 private:
  bool retry(Step& step);
  void apply_score(Step& step);
  void apply_remeasure(Step& step);
  void apply_confirm(Step& step);
  void count_proposal(Step& step, bool took_cell);
  double gain(const Score& score, CandidateId parent_id) const;
  // Seconds: of judging, and what making the proposal took in time and money.
  double cost_of(const Step& step) const;
  void reward_arms(const Step& step, double reward);
  void remember(const Step& step);
  void disqualify(CandidateId id, std::vector<Effect>& effects);
  void check_budget();

  EvolutionConfig config_;
  Rng root_;
  Budget budget_;
  Population population_;
  Novelty novelty_;
  std::vector<Arm> arms_;
  Bandit bandit_;
  History history_;
  Confirmation confirmation_;
  std::optional<StopReason> stopping_;
  int64_t sequence_ = 0;
  double elapsed_s_ = 0;
  int64_t founders_left_ = 0;
  int64_t judged_ = 0;      // proposals with an outcome
  int64_t forgiven_ = 0;    // proposals that do not count
  int64_t since_best_ = 0;  // judged since the best changed
  int barren_ = 0;          // in a row without a new genome
  int broken_ = 0;          // in a row through no fault of a candidate
  std::array<int64_t, kNumOutcomeKinds> counts_{};
};

}  // namespace evoke
