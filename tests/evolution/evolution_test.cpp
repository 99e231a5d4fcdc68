// The state machine, one rule at a time.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/evolution/scenario.h"

namespace evoke {
namespace {

using scenario::has;
using scenario::plain_config;
using scenario::Scenario;

TEST(Evolution, FoundersComeFirstOneAtATimePerWorker) {
  Scenario s(plain_config());
  const auto first = s.evaluation();
  EXPECT_EQ(first.candidate.id, 1);
  EXPECT_EQ(first.candidate.text, "first");
  EXPECT_EQ(first.candidate.proposer, "founder");
  EXPECT_TRUE(s.waits()) << "one worker, one evaluation";
  s.finish(first, OutcomeKind::measured, 0.5);
  s.finish(s.evaluation(), OutcomeKind::measured, 1);
  EXPECT_EQ(s.proposal().parent.candidate.id, 2);
}

// Confirming a founder takes as long as judging many children.
TEST(Evolution, AFounderIsConfirmedAtTheEndWhenNothingElseWas) {
  auto config = plain_config();
  config.budget.iterations = 1;
  Scenario s(config);
  s.start();
  s.child("not better", OutcomeKind::measured, 1.0005);
  const auto confirm = s.evaluation();
  EXPECT_EQ(confirm.candidate.id, 1);
  EXPECT_EQ(confirm.purpose, EvaluationPurpose::confirm);
  EXPECT_EQ(confirm.rival_text, "") << "it has nobody to beat";
  EXPECT_TRUE(has(s.finish(confirm, OutcomeKind::confirmed, 1.01), "best"));
  EXPECT_EQ(s.evolution.best()->candidate.id, 1);
  EXPECT_EQ(s.evolution.status().best_fitness->value, 1.01);
  EXPECT_EQ(s.stops(), StopReason::iterations);
}

TEST(Evolution, TheNextFounderIsTriedWhenTheFirstFailsConfirmation) {
  auto config = plain_config();
  config.budget.iterations = 1;
  Scenario s(config);
  s.start();
  s.child("broken", OutcomeKind::crashed);
  EXPECT_TRUE(has(s.finish(s.evaluation(), OutcomeKind::nondeterministic),
                  "disqualified"));
  const auto second = s.evaluation();
  EXPECT_EQ(second.candidate.id, 2);
  EXPECT_EQ(second.purpose, EvaluationPurpose::confirm);
}

TEST(Evolution, AWouldBeBestIsConfirmedAgainstTheBest) {
  Scenario s(plain_config());
  s.start();
  EXPECT_TRUE(
      has(s.child("better", OutcomeKind::measured, 1.5), "confirm_requested"));
  EXPECT_EQ(s.evolution.best(), nullptr) << "not before it is shown";
  const auto confirm = s.evaluation();
  EXPECT_EQ(confirm.candidate.text, "better");
  EXPECT_EQ(confirm.rival_text, "first") << "the best founder";
  s.finish(confirm, OutcomeKind::confirmed, 1.4);
  EXPECT_EQ(s.evolution.best()->candidate.text, "better");
  s.child("still better", OutcomeKind::measured, 2);
  EXPECT_EQ(s.evaluation().rival_text, "better");
}

TEST(Evolution, AWouldBeBestIsMeasuredAgainBeforeItIsConfirmed) {
  auto config = plain_config();
  config.confirmation.measurements = 3;
  Scenario s(config);
  s.start();
  s.child("lucky", OutcomeKind::measured, 1.5);
  auto again = s.evaluation();
  EXPECT_EQ(again.candidate.text, "lucky");
  EXPECT_EQ(again.purpose, EvaluationPurpose::remeasure);
  s.finish(again, OutcomeKind::measured, 0.6);
  s.child("better", OutcomeKind::measured, 1.5);
  for (int i = 0; i < 2; ++i) {
    again = s.evaluation();
    EXPECT_EQ(again.candidate.text, "better") << "and no longer the lucky one";
    EXPECT_EQ(again.purpose, EvaluationPurpose::remeasure);
    s.finish(again, OutcomeKind::measured, 1.4);
  }
  const auto confirm = s.evaluation();
  EXPECT_EQ(confirm.candidate.text, "better");
  EXPECT_EQ(confirm.purpose, EvaluationPurpose::confirm);
}

TEST(Evolution, WhatIsNotConfirmedStaysAnEliteButDoesNotTryAgainAtOnce) {
  Scenario s(plain_config());
  s.start();
  s.child("lucky", OutcomeKind::measured, 1.5);
  const Step step = s.finish(s.evaluation(), OutcomeKind::not_confirmed);
  EXPECT_TRUE(has(step, "not_confirmed"));
  EXPECT_EQ(s.evolution.best(), nullptr);
  const CandidateId lucky = step.candidate.id;
  const Entry& entry = *s.evolution.state().population().find(lucky);
  EXPECT_EQ(entry.seats, 1);
  EXPECT_LE(entry.score->fitness().value, 1.0 + 1e-12);
  s.proposal();  // and not another confirmation
}

TEST(Evolution, AFailureAtConfirmationCostsRankAndCell) {
  Scenario s(plain_config());
  s.start();
  s.child("wrong", OutcomeKind::measured, 1.5);
  const Step step = s.finish(s.evaluation(), OutcomeKind::incorrect);
  EXPECT_TRUE(has(step, "disqualified"));
  EXPECT_FALSE(s.evolution.state()
                   .population()
                   .find(step.candidate.id)
                   ->score.has_value());
  const auto& archive = s.evolution.state().population().islands()[0].archive;
  EXPECT_EQ(archive.at_rank(0).id(), 1) << "who was there before is back";
}

TEST(Evolution, WithinNoiseTheEliteIsMeasuredAgainAndNotReplaced) {
  auto config = plain_config();
  config.confirmation.interval = 100;
  Scenario s(config);
  s.start();
  EXPECT_TRUE(has(s.child("equal", OutcomeKind::measured, 1.01, 0.03),
                  "remeasure_requested"));
  const auto again = s.evaluation();
  EXPECT_EQ(again.candidate.id, 1);
  EXPECT_EQ(again.purpose, EvaluationPurpose::remeasure);
  EXPECT_TRUE(has(s.finish(again, OutcomeKind::measured, 0.98), "remeasured"));
  const Score& score = *s.evolution.state().population().find(1)->score;
  EXPECT_EQ(score.measurements, 2);
  EXPECT_NEAR(score.log_value, (std::log(1) + std::log(0.98)) / 2, 1e-9);
}

TEST(Evolution, AnEliteThatFailsWhenMeasuredAgainIsDisqualified) {
  Scenario s(plain_config());
  s.start();
  const Step better = s.child("better", OutcomeKind::measured, 2);
  s.finish(s.evaluation(), OutcomeKind::confirmed, 2);
  s.child("equal", OutcomeKind::measured, 2.01, 0.03);
  EXPECT_EQ(s.evolution.best()->candidate.text, "better");
  const Step step = s.finish(s.evaluation(), OutcomeKind::crashed);
  EXPECT_EQ(s.evolution.best(), nullptr) << "it was the best";
  const auto revoked = std::find_if(
      step.effects.begin(), step.effects.end(),
      [](const Effect& effect) { return effect.kind == "best_revoked"; });
  ASSERT_NE(revoked, step.effects.end());
  EXPECT_EQ(revoked->detail,
            Json({{"candidate", better.candidate.id}, {"best", 0}}));
  EXPECT_EQ(s.evolution.state()
                .population()
                .islands()[0]
                .archive.at_rank(0)
                .member.body->candidate.text,
            "equal");
}

TEST(Evolution, SeenGenomesAreAskedForAgainAFewTimes) {
  Scenario s(plain_config());
  s.start();
  std::set<uint64_t> seeds;
  CandidateId id = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    const auto request = s.proposal();
    if (attempt == 0) id = request.id;
    EXPECT_EQ(request.id, id);
    EXPECT_EQ(request.attempt, attempt);
    EXPECT_TRUE(seeds.insert(request.rng_seed).second);
    const auto step = s.answer(request, "second");
    EXPECT_EQ(step.has_value(), attempt == 3);
    if (!step) continue;
    EXPECT_EQ(step->outcome.kind, OutcomeKind::duplicate);
    EXPECT_EQ(step->outcome.duplicate_of, 2);
    EXPECT_EQ(step->outcome.stage, Stage::novelty);
  }
  EXPECT_GT(s.proposal().id, id);
}

TEST(Evolution, AGenomeInFlightIsSeenToo) {
  auto config = plain_config();
  config.workers = 2;
  config.attempts = 1;
  Scenario s(config);
  const auto first = s.evaluation();
  const auto second = s.evaluation();
  s.finish(first, OutcomeKind::measured, 1);
  s.finish(second, OutcomeKind::measured, 0.5);
  const auto a = s.proposal();
  const auto b = s.proposal();
  EXPECT_FALSE(s.answer(a, "same").has_value());
  const auto in_flight = s.answer(b, "same");
  ASSERT_TRUE(in_flight.has_value());
  EXPECT_EQ(in_flight->outcome.duplicate_of, a.id);
  s.finish(s.evaluation(), OutcomeKind::compile_failed);
  const auto step = s.answer(s.proposal(), "same");
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->outcome.duplicate_of, a.id) << "failures are not repeated";
}

TEST(Evolution, ADuplicateOfCompiledCodeIsNeverJudgedAgain) {
  auto config = plain_config();
  config.attempts = 1;
  Scenario s(config);
  s.start();
  s.answer(s.proposal(), "renamed");
  const auto request = s.evaluation();
  Outcome outcome;
  outcome.candidate = request.candidate.id;
  outcome.kind = OutcomeKind::duplicate;
  outcome.stage = Stage::compile;
  outcome.duplicate_of = 1;
  s.evolution.apply(outcome, 9);
  const auto step = s.answer(s.proposal(), "renamed");
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->outcome.duplicate_of, 1);
}

TEST(Evolution, NothingNewFromAParentIsAStepLikeAnyOther) {
  Scenario s(plain_config());
  s.start();
  const auto request = s.proposal();
  const auto step = s.evolution.answer(request.id, absent("no gene"), 5);
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->outcome.kind, OutcomeKind::duplicate);
  EXPECT_EQ(step->outcome.message, "no gene");
  EXPECT_EQ(step->sequence, s.evolution.state().sequence());
  EXPECT_EQ(s.evolution.status().judged, 1);
}

TEST(Evolution, AProposerThatFailsUsesUpNoIteration) {
  auto config = plain_config();
  config.budget.iterations = 1;
  Scenario s(config);
  s.start();
  for (int i = 0; i < 5; ++i) {
    const auto step =
        s.evolution.answer(s.proposal().id, timed_out("no answer"), 5);
    EXPECT_EQ(step->outcome.kind, OutcomeKind::infrastructure_failed);
  }
  EXPECT_EQ(s.evolution.status().iterations, 1) << "the one asked for now";
  s.child("x", OutcomeKind::compile_failed);
  EXPECT_EQ(s.stops_with_a_founder(), StopReason::iterations);
}

TEST(Evolution, ABrokenEvaluationIsRepeatedAFewTimes) {
  auto config = plain_config();
  config.retries = 2;
  Scenario s(config);
  s.start();
  s.answer(s.proposal(), "x");
  for (int i = 0; i < 2; ++i) {
    const auto request = s.evaluation();
    EXPECT_EQ(request.candidate.text, "x");
    EXPECT_TRUE(
        has(s.finish(request, OutcomeKind::infrastructure_failed), "retried"));
  }
  EXPECT_FALSE(has(s.finish(s.evaluation(), OutcomeKind::infrastructure_failed),
                   "retried"));
  s.proposal();
}

TEST(Evolution, OneFailureOfTheMachineAfterTheOtherEndsTheSearch) {
  auto config = plain_config();
  config.infrastructure_limit = 5;
  Scenario s(config);
  s.start();
  for (int i = 0; i < 5; ++i) {
    s.evolution.answer(s.proposal().id, failed("service is down"), 5);
  }
  EXPECT_EQ(s.stops(), StopReason::infrastructure);
}

TEST(Evolution, AProposerThatFindsNothingNewEndsTheSearch) {
  auto config = plain_config();
  config.barren_limit = 7;
  Scenario s(config);
  s.start();
  for (int i = 0; i < 7; ++i) {
    s.evolution.answer(s.proposal().id, absent("no gene"), 5);
  }
  EXPECT_EQ(s.stops_with_a_founder(), StopReason::nothing_new);
}

TEST(Evolution, SeedsThatDoNotWorkEndTheSearch) {
  Scenario s(plain_config());
  s.finish(s.evaluation(), OutcomeKind::compile_failed);
  const Step last = s.finish(s.evaluation(), OutcomeKind::incorrect);
  EXPECT_EQ(s.stops(), StopReason::no_founder);
  EXPECT_TRUE(has(last, "stopped"));
}

TEST(Evolution, AtTheEndWhatIsInFlightFinishesAndTheBestIsConfirmed) {
  auto config = plain_config();
  config.workers = 3;
  config.budget.iterations = 3;
  config.confirmation.interval = 1000;
  Scenario s(config);
  const auto a = s.evaluation();
  const auto b = s.evaluation();
  s.finish(a, OutcomeKind::measured, 1);
  s.finish(b, OutcomeKind::measured, 0.5);
  std::vector<EvaluationRequest> running;
  for (const char* text : {"x", "y", "z"}) {
    s.answer(s.proposal(), text);
    running.push_back(s.evaluation());
  }
  EXPECT_TRUE(s.waits());
  s.finish(running[0], OutcomeKind::measured, 1.2);
  s.finish(running[1], OutcomeKind::measured, 1.4);
  EXPECT_TRUE(s.waits()) << "the last word comes when all is in";
  EXPECT_FALSE(
      has(s.finish(running[2], OutcomeKind::measured, 1.3), "stopped"));
  const auto confirm = s.evaluation();
  EXPECT_EQ(confirm.purpose, EvaluationPurpose::confirm);
  EXPECT_EQ(confirm.candidate.text, "y");
  EXPECT_FALSE(has(s.finish(confirm, OutcomeKind::not_confirmed), "stopped"));
  // It fell to the founder's score, so the elite before it has the cell again.
  const auto next = s.evaluation();
  EXPECT_EQ(next.purpose, EvaluationPurpose::confirm);
  EXPECT_EQ(next.candidate.text, "x");
  EXPECT_TRUE(has(s.finish(next, OutcomeKind::confirmed, 1.2), "stopped"));
  EXPECT_EQ(s.stops(), StopReason::iterations);
  EXPECT_EQ(s.evolution.best()->candidate.text, "x");
}

TEST(Evolution, TimePatienceAndTargetEndTheSearch) {
  for (const StopReason reason :
       {StopReason::time, StopReason::patience, StopReason::target}) {
    auto config = plain_config();
    config.budget = {.iterations = 0,
                     .time_s = reason == StopReason::time ? 9.0 : 0.0,
                     .patience = reason == StopReason::patience ? 3 : 0,
                     .target_score = reason == StopReason::target ? 2.0 : 0.0};
    Scenario s(config);
    s.start();
    s.child("x", OutcomeKind::measured, 0.7);
    if (reason == StopReason::time) s.elapsed_s = 9;
    if (reason == StopReason::target) {
      s.child("y", OutcomeKind::measured, 2.1);
      EXPECT_EQ(s.evolution.status().stopping, std::nullopt)
          << "not confirmed yet";
      s.finish(s.evaluation(), OutcomeKind::confirmed, 2.1);
    } else if (reason == StopReason::patience) {
      s.child("y", OutcomeKind::compile_failed);
      s.child("z", OutcomeKind::compile_failed);
    } else {
      s.child("y", OutcomeKind::compile_failed);
    }
    EXPECT_EQ(
        reason == StopReason::target ? s.stops() : s.stops_with_a_founder(),
        reason)
        << to_string(reason);
    EXPECT_TRUE(s.evolution.status().finished);
  }
}

TEST(Evolution, AStopFromOutsideLetsEvaluationsFinish) {
  auto config = plain_config();
  config.workers = 2;
  Scenario s(config);
  const auto a = s.evaluation();
  const auto b = s.evaluation();
  s.finish(a, OutcomeKind::measured, 1);
  s.finish(b, OutcomeKind::measured, 0.5);
  s.answer(s.proposal(), "x");
  const auto running = s.evaluation();
  const auto asked = s.proposal();
  s.evolution.request_stop();
  EXPECT_FALSE(s.answer(asked, "late").has_value());
  EXPECT_TRUE(s.waits());
  s.finish(running, OutcomeKind::compile_failed);
  EXPECT_EQ(s.stops_with_a_founder(), StopReason::requested);
}

TEST(Evolution, MisuseIsRefused) {
  EXPECT_THROW(Evolution(plain_config(), {}), UsageError);
  auto config = plain_config();
  config.workers = 0;
  EXPECT_THROW(Evolution(config, {{"a", ""}}), UsageError);
  Scenario s(plain_config());
  Outcome outcome;
  outcome.candidate = 1;
  EXPECT_THROW(s.evolution.apply(outcome, 0), UsageError) << "not asked for";
  EXPECT_THROW(s.evolution.answer(1, Proposal{}, 0), UsageError);
  const auto request = s.evaluation();
  s.finish(request, OutcomeKind::measured, 1);
  EXPECT_THROW(s.evolution.apply(outcome, 0), UsageError) << "twice";
}

TEST(Evolution, EqualSeedsCountOnce) {
  Scenario s(plain_config(), {{"same", ""}, {"same", ""}, {"other", ""}});
  EXPECT_EQ(s.evaluation().candidate.text, "same");
  Outcome outcome;
  outcome.candidate = 1;
  outcome.kind = OutcomeKind::crashed;
  s.evolution.apply(outcome, 0);
  EXPECT_EQ(s.evaluation().candidate.text, "other");
}

TEST(Evolution, OtherSpellingsOfASeedAreKnown) {
  auto config = plain_config();
  config.attempts = 1;
  Scenario s(config, {{"first", "", {"FIRST", "First"}}, {"second", ""}});
  s.start();
  const auto step = s.answer(s.proposal(), "First");
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->outcome.duplicate_of, 1);
}

TEST(Evolution, TheOperationThatWasAskedForIsRecorded) {
  auto config = plain_config();
  config.proposers = {{.name = "parameters", .operations = {"step"}}};
  Scenario s(config);
  s.start();
  const auto request = s.proposal();
  EXPECT_EQ(request.operation, "step");
  s.evolution.answer(request.id, Proposal{"x", {}, "jump", "", "llm:m"}, 1);
  const Step step = s.finish(s.evaluation(), OutcomeKind::measured, 1.5);
  EXPECT_EQ(step.candidate.operation, "jump");
  EXPECT_EQ(step.candidate.proposer, "llm:m");
  EXPECT_EQ(step.outcome.details.at(kRequestedOperation), "parameters/step");
  EXPECT_EQ(s.evolution.state().bandit().state()[0].pulls, 1);
  EXPECT_EQ(s.evolution.state().bandit().state()[0].reward, 0);
}

}  // namespace
}  // namespace evoke
