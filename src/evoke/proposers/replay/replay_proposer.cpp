#include "evoke/proposers/replay/replay_proposer.h"

#include <utility>

namespace evoke {

ReplayProposer::ReplayProposer(std::vector<RecordedAnswer> answers,
                               CandidateId founders)
    : answers_(std::move(answers)), founders_(founders) {}

Result<Proposal> ReplayProposer::propose(const ProposalRequest& request) {
  if (next_ == answers_.size()) {
    return absent("the recorded run has no answer left");
  }
  const RecordedAnswer& answer = answers_[next_++];
  renamed_[answer.candidate] = request.id;
  Proposal proposal = answer.proposal;
  proposal.parents.clear();
  for (const CandidateId parent : answer.proposal.parents) {
    if (parent <= founders_) {
      proposal.parents.push_back(parent);
    } else if (const auto found = renamed_.find(parent);
               found != renamed_.end()) {
      proposal.parents.push_back(found->second);
    }
  }
  return proposal;
}

}  // namespace evoke
