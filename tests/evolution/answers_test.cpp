// Proposers that take their time, and candidates that nobody asked for.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/evolution/scenario.h"

namespace evoke {
namespace {

using scenario::plain_config;
using scenario::Scenario;

EvolutionConfig mixed_config(int in_flight = 2) {
  EvolutionConfig config = plain_config();
  config.workers = 1;
  config.proposers = {{.name = "quick", .operations = {"step"}},
                      {.name = "slow",
                       .operations = {"improve", "repair"},
                       .in_flight = in_flight}};
  return config;
}

// Takes requests until there is none; those for "slow" stay unanswered.
std::vector<ProposalRequest> asked(Scenario& s) {
  std::vector<ProposalRequest> requests;
  for (;;) {
    Action action = s.evolution.next();
    auto* request = std::get_if<ProposalRequest>(&action);
    if (!request) break;
    requests.push_back(*request);
  }
  return requests;
}

TEST(Answers, ASlowProposerHoldsUpNobody) {
  Scenario s(mixed_config());
  s.start();
  std::vector<ProposalRequest> slow;
  int quick = 0;
  for (int i = 0; i < 40; ++i) {
    Action action = s.evolution.next();
    if (auto* request = std::get_if<ProposalRequest>(&action)) {
      if (request->proposer == "slow") {
        slow.push_back(*request);
        continue;
      }
      s.answer(*request, "quick" + std::to_string(++quick));
    } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
      s.finish(*evaluation, OutcomeKind::measured, 1.01);
    } else {
      FAIL() << "it waits for the slow one";
    }
  }
  EXPECT_EQ(slow.size(), 2U) << "both bounded and used";
  EXPECT_GT(quick, 10);
  // What comes at last is judged like the others.
  EXPECT_FALSE(s.answer(slow[1], "late").has_value());
  Action action = s.evolution.next();
  while (std::holds_alternative<ProposalRequest>(action)) {
    action = s.evolution.next();
  }
  EXPECT_EQ(std::get<EvaluationRequest>(action).candidate.text, "late");
}

TEST(Answers, AloneItIsAskedAsOftenAsAllowed) {
  auto config = mixed_config(3);
  config.proposers.erase(config.proposers.begin());
  Scenario s(config);
  s.start();
  const auto requests = asked(s);
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_TRUE(s.waits());
  s.answer(requests[2], "x");
  s.finish(s.evaluation(), OutcomeKind::measured, 0.4);
  EXPECT_EQ(asked(s).size(), 1U);
}

TEST(Answers, WhatIsAskedForDoesNotDependOnWhenAnswersCome) {
  const auto run = [](bool at_once) {
    Scenario s(mixed_config());
    s.start();
    std::vector<ProposalRequest> slow;
    std::string made;
    for (int i = 0; i < 60; ++i) {
      Action action = s.evolution.next();
      if (auto* request = std::get_if<ProposalRequest>(&action)) {
        made += std::to_string(request->id) + request->proposer + "/" +
                request->operation + "/" +
                std::to_string(request->parent.candidate.id) + " ";
        const std::string text = "text" + std::to_string(request->id);
        if (request->proposer == "slow" && !at_once) continue;
        s.answer(*request, text);
      } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
        // Only outcomes of the quick one come in.
        if (evaluation->candidate.proposer == "slow") continue;
        s.finish(*evaluation, OutcomeKind::measured,
                 1 + 0.01 * static_cast<double>(evaluation->candidate.id));
      } else {
        break;
      }
    }
    return made;
  };
  // A worker that is busy with a slow proposal would wait: so compare what was
  // asked before that.
  const std::string early = run(true);
  EXPECT_EQ(run(false).substr(0, early.size()), early);
}

TEST(Answers, AProposalSaysWhatItCost) {
  auto config = mixed_config(1);
  config.proposers.erase(config.proposers.begin());
  config.proposers[0].latency_weight = 0.5;
  config.usd_per_hour = 3600;
  Scenario s(config);
  s.start();
  ProposalAnswer answer{s.proposal().id, Proposal{"x", {}, "", ""}, {10, 2.0}};
  answer.proposal->strategies = {"wider loads"};
  EXPECT_FALSE(s.evolution.answer(answer, 1).has_value());
  const Step step = s.finish(s.evaluation(), OutcomeKind::measured, 1.5);
  EXPECT_EQ(step.candidate.cost, (ProposalCost{10, 2.0}));
  EXPECT_EQ(step.candidate.strategies, std::vector<std::string>{"wider loads"});
  // 2 USD are two seconds, ten seconds of waiting five.
  EXPECT_NEAR(s.evolution.state().bandit().state()[0].cost, 7, 1e-9);
}

TEST(Answers, TheCostOfEveryAttemptCounts) {
  auto config = mixed_config(1);
  config.proposers.erase(config.proposers.begin());
  Scenario s(config);
  s.start();
  const auto first = s.proposal();
  EXPECT_FALSE(
      s.evolution
          .answer({first.id, Proposal{"second", {}, "", ""}, {3, 0.5}}, 1)
          .has_value());
  const auto again = s.proposal();
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.attempt, 1);
  const auto step = s.evolution.answer(
      {again.id, Proposal{"second", {}, "", ""}, {4, std::nullopt}}, 2);
  ASSERT_TRUE(step.has_value()) << "no third attempt: it costs money";
  EXPECT_EQ(step->outcome.kind, OutcomeKind::duplicate);
  EXPECT_EQ(step->candidate.cost.seconds, 7);
  EXPECT_FALSE(step->candidate.cost.usd.has_value());
}

TEST(Answers, ABudgetOfTimeDoesNotWaitForAnybody) {
  auto config = mixed_config(2);
  config.proposers.erase(config.proposers.begin());
  config.budget.time_s = 100;
  Scenario s(config);
  s.start();
  const auto requests = asked(s);
  ASSERT_EQ(requests.size(), 2U);
  s.evolution.pass_time(99);
  EXPECT_TRUE(s.evolution.take_withdrawn().empty());
  s.evolution.pass_time(100);
  EXPECT_EQ(s.evolution.take_withdrawn(),
            (std::vector<CandidateId>{requests[0].id, requests[1].id}));
  EXPECT_FALSE(s.answer(requests[0], "too late").has_value());
  EXPECT_EQ(s.stops_with_a_founder(), StopReason::time);
}

TEST(Answers, ABudgetOfIterationsDoes) {
  auto config = mixed_config(2);
  config.proposers.erase(config.proposers.begin());
  config.budget.iterations = 1;
  Scenario s(config);
  s.start();
  const auto request = s.proposal();
  EXPECT_TRUE(s.waits());
  s.answer(request, "x");
  s.finish(s.evaluation(), OutcomeKind::measured, 0.4);
  EXPECT_EQ(s.stops_with_a_founder(), StopReason::iterations);
}

TEST(Answers, ARepairIsAskedForOncePerFailure) {
  auto config = mixed_config(1);
  config.proposers = {
      {.name = "slow", .operations = {"improve", "repair"}, .in_flight = 1}};
  config.bandit.uniform = 0;
  Scenario s(config);
  s.start();
  const auto improve = s.proposal();
  EXPECT_EQ(improve.operation, "improve") << "there is nothing to repair";
  s.answer(improve, "broken");
  s.finish(s.evaluation(), OutcomeKind::compile_failed);
  const auto repair = s.proposal();
  ASSERT_EQ(repair.operation, "repair");
  ASSERT_TRUE(repair.failed.has_value());
  EXPECT_EQ(repair.failed->candidate.text, "broken");
  EXPECT_EQ(repair.parent.candidate.id, improve.parent.candidate.id);
  s.evolution.answer(
      repair.id,
      Proposal{"mended",
               {repair.parent.candidate.id, repair.failed->candidate.id},
               "repair",
               ""},
      9);
  s.finish(s.evaluation(), OutcomeKind::incorrect);
  const auto next = s.proposal();
  if (next.failed) {
    EXPECT_EQ(next.failed->candidate.text, "mended");
  }
}

TEST(Answers, ASubmissionIsJudgedAndCostsNoIteration) {
  auto config = mixed_config();
  config.unasked = 1;
  Scenario s(config);
  Proposal proposal{"given", {2, 99}, "submit", "by hand"};
  proposal.proposer = "inbox";
  EXPECT_FALSE(s.evolution.takes_submissions()) << "founders come first";
  s.start();
  EXPECT_TRUE(s.evolution.takes_submissions());
  proposal.text = "second";
  EXPECT_EQ(s.evolution.submit(proposal).error().kind, ErrorKind::failed);
  proposal.text = "given";
  const auto id = s.evolution.submit(proposal);
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(s.evolution.submit(proposal).error().kind, ErrorKind::absent);
  // Nobody answers what was asked for.
  Action action = s.evolution.next();
  while (std::holds_alternative<ProposalRequest>(action)) {
    action = s.evolution.next();
  }
  const auto iterations = s.evolution.status().iterations;
  const auto request = std::get<EvaluationRequest>(action);
  EXPECT_EQ(request.candidate.id, *id);
  EXPECT_EQ(request.candidate.parents, std::vector<CandidateId>{2});
  s.finish(request, OutcomeKind::measured, 0.3);
  EXPECT_EQ(s.evolution.status().iterations, iterations);
  EXPECT_TRUE(s.evolution.takes_submissions());
}

// Whoever waits for its receipt gets one while tasks are still open.
TEST(Answers, ASubmissionAfterTheLastIterationIsRefused) {
  auto config = mixed_config(2);
  config.proposers.erase(config.proposers.begin());
  config.budget.iterations = 1;
  config.unasked = 1;
  Scenario s(config);
  s.start();
  s.proposal();
  ASSERT_TRUE(s.waits());
  EXPECT_TRUE(s.evolution.takes_submissions());
  Proposal proposal{"given", {}, "submit", "by hand"};
  EXPECT_EQ(s.evolution.submit(proposal).error().kind, ErrorKind::failed);
}

// The id of a place for a submission is taken whether it is used or not.
TEST(Answers, ARunWithSubmissionsReplays) {
  auto config = mixed_config();
  config.unasked = 2;
  Scenario s(config);
  s.start();
  std::vector<Step> steps;
  std::vector<std::string> states;
  int given = 0;
  for (int i = 0; i < 80; ++i) {
    if (i % 3 == 0) {
      Proposal proposal{"given" + std::to_string(++given), {1}, "submit", ""};
      static_cast<void>(s.evolution.submit(proposal));
    }
    Action action = s.evolution.next();
    if (auto* request = std::get_if<ProposalRequest>(&action)) {
      s.answer(*request, "text" + std::to_string(request->id));
    } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
      steps.push_back(
          s.finish(*evaluation,
                   i % 5 == 0 ? OutcomeKind::incorrect : OutcomeKind::measured,
                   1 + 0.01 * (i % 7)));
      states.push_back(s.evolution.state().fingerprint());
    }
  }
  ASSERT_GT(steps.size(), 20U);
  Scenario replayed(config);
  replayed.start();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    ASSERT_TRUE(replayed.evolution.replay(steps[i]).has_value());
    EXPECT_EQ(replayed.evolution.state().fingerprint(), states[i]) << i;
  }
  EXPECT_EQ(replayed.evolution.diverged_at(), 0);
}

}  // namespace
}  // namespace evoke
