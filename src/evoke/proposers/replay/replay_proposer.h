// Gives the answers of an earlier run again, in their order: for tests, demos
// and post-mortems. Whoever wires it up reads them from a store.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "evoke/evolution/interfaces/proposer.h"

namespace evoke {

struct RecordedAnswer {
  CandidateId candidate = 0;  // its number in the earlier run
  Proposal proposal;          // parents as numbered there
};

class ReplayProposer : public Proposer {
 public:
  // Numbers up to `founders` are founders' and mean the same in both runs.
  ReplayProposer(std::vector<RecordedAnswer> answers, CandidateId founders);

  std::string name() const override { return "replay"; }
  // The next answer, whatever is asked for; `absent` when there is none left.
  // Proposer and operation are those of the earlier run, parents those that
  // its candidates have become here.
  Result<Proposal> propose(const ProposalRequest& request) override;
  std::size_t left() const { return answers_.size() - next_; }

 private:
  std::vector<RecordedAnswer> answers_;
  std::size_t next_ = 0;
  CandidateId founders_;
  std::map<CandidateId, CandidateId> renamed_;
};

}  // namespace evoke
