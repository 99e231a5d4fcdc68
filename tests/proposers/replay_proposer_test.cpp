#include "evoke/proposers/replay/replay_proposer.h"

#include <gtest/gtest.h>

namespace evoke {
namespace {

RecordedAnswer answer(CandidateId id, std::vector<CandidateId> parents) {
  return {id, {"text" + std::to_string(id), std::move(parents), "step", ""}};
}

TEST(ReplayProposer, GivesAnswersInTheirOrderUnderTheirNewNumbers) {
  ReplayProposer replay({answer(5, {2}), answer(9, {5, 1, 4})}, 3);
  ProposalRequest request;
  request.id = 20;
  const auto first = replay.propose(request);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->text, "text5");
  EXPECT_EQ(first->parents, std::vector<CandidateId>{2});
  EXPECT_EQ(replay.left(), 1U);
  request.id = 21;
  // 5 is called 20 now, 1 is a founder, and 4 was never made here.
  EXPECT_EQ(replay.propose(request)->parents,
            (std::vector<CandidateId>{20, 1}));
  EXPECT_EQ(replay.left(), 0U);
  EXPECT_EQ(replay.propose(request).error().kind, ErrorKind::absent);
}

}  // namespace
}  // namespace evoke
