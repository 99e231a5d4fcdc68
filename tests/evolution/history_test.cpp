#include "evoke/evolution/history.h"

#include <gtest/gtest.h>

namespace evoke {
namespace {

Step step(CandidateId id, CandidateId parent, OutcomeKind kind,
          std::vector<std::string> strategies = {}) {
  Step made;
  made.candidate.id = made.outcome.candidate = id;
  made.candidate.parents = {parent};
  made.candidate.text = "text" + std::to_string(id);
  made.candidate.strategies = std::move(strategies);
  made.outcome.kind = kind;
  return made;
}

ProposalRequest told(const History& history, CandidateId parent) {
  ProposalRequest request;
  request.parent.candidate.id = parent;
  history.tell(request);
  return request;
}

TEST(History, TagsAreOneHoweverTheyAreWritten) {
  EXPECT_EQ(normalised_tag("  Split-KV!"), "split-kv");
  EXPECT_EQ(normalised_tag("split kv"), "split-kv");
  EXPECT_EQ(normalised_tag("---"), "");
  EXPECT_EQ(normalised_tag(std::string(39, 'a') + "\xc3\xa9"),
            std::string(39, 'a'));
}

TEST(History, SaysWhichDirectionsPaid) {
  History history;
  history.add(step(2, 1, OutcomeKind::measured, {"Split KV", "split-kv"}), 1.2,
              true);
  history.add(step(3, 1, OutcomeKind::measured, {"split-kv"}), 0.9, false);
  history.add(step(4, 1, OutcomeKind::compile_failed, {"split-kv"}), 0, false);
  history.add(step(5, 1, OutcomeKind::measured, {"wider-loads"}), 0.5, false);
  const auto request = told(history, 1);
  ASSERT_EQ(request.strategies.size(), 2U);
  const StrategyRecord& first = request.strategies[0];
  EXPECT_EQ(first.strategy, "split-kv");
  EXPECT_EQ(first.tried, 3);
  EXPECT_EQ(first.improved, 1);
  EXPECT_EQ(first.failed, 1);
  EXPECT_EQ(first.best_gain, 1.2);
}

TEST(History, TellsOfSiblingsFirstAndNewestFirst) {
  History history;
  history.add(step(2, 1, OutcomeKind::incorrect), 0, false);
  history.add(step(3, 7, OutcomeKind::measured), 1, false);
  history.add(step(4, 1, OutcomeKind::crashed), 0, false);
  history.add(step(5, 7, OutcomeKind::measured), 1, false);
  const auto request = told(history, 1);
  std::vector<CandidateId> ids;
  for (const TriedIdea& idea : request.tried) ids.push_back(idea.candidate);
  EXPECT_EQ(ids, (std::vector<CandidateId>{4, 2, 5, 3}));
  ASSERT_EQ(request.failed_siblings.size(), 2U);
  EXPECT_EQ(request.failed_siblings[0].candidate.text, "text4");
}

TEST(History, WhatWasMendedOrTriedIsNotOfferedAgain) {
  History history;
  history.add(step(2, 1, OutcomeKind::compile_failed), 0, false);
  history.add(step(3, 1, OutcomeKind::duplicate), 0, false);
  ASSERT_EQ(history.unmended().size(), 1U);
  Step mended = step(4, 1, OutcomeKind::measured);
  mended.candidate.parents.push_back(2);
  history.add(mended, 1.1, true);
  EXPECT_TRUE(history.unmended().empty());
}

TEST(History, IsBounded) {
  History history({.ideas = 10, .failures = 3, .strategies = 5});
  for (int i = 2; i < 1000; ++i) {
    history.add(step(i, 1, OutcomeKind::incorrect, {std::to_string(i)}), 0,
                false);
  }
  EXPECT_EQ(history.unmended().size(), 3U);
  const auto request = told(history, 1);
  EXPECT_EQ(request.tried.size(), 10U);
  EXPECT_EQ(request.strategies.size(), 5U);
}

}  // namespace
}  // namespace evoke
