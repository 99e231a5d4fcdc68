#include "evoke/evolution/search_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/evolution/instant_evaluator.h"
#include "tests/evolution/simulation.h"

namespace evoke {
namespace {

using simulation::Landscape;

class StepList : public EventSink {
 public:
  void record(const Step& step) override {
    if (steps.size() == fail_at) throw StartupError("disk full");
    steps.push_back(step);
  }
  void record_call(const LlmCall& call) override {
    calls.push_back(call.proposal);
  }
  void record_all(const std::vector<LlmCall>& ended,
                  const Step& step) override {
    if (!ended.empty()) ++together;
    EventSink::record_all(ended, step);
  }
  std::vector<Step> steps;
  std::vector<CandidateId> calls;  // of these proposals
  int together = 0;                // steps that were recorded with calls
  std::size_t fail_at = SIZE_MAX;
};

// A model's proposer: each answer comes with a call.
class CallingDesk : public ProposalDesk {
 public:
  explicit CallingDesk(Proposer& proposer) : proposer_(proposer) {}
  void submit(ProposalRequest request) override {
    answers_.push_back({request.id, proposer_.propose(request), {}});
    calls_.emplace_back();
    calls_.back().proposal = request.id;
    ++made;
  }
  std::optional<ProposalAnswer> take() override {
    if (answers_.empty()) return std::nullopt;
    ProposalAnswer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }
  std::vector<LlmCall> take_calls() override {
    return std::exchange(calls_, {});
  }
  void withdraw(CandidateId) override {}
  void on_arrival(std::function<void()>) override {}
  std::size_t made = 0;

 private:
  Proposer& proposer_;
  std::deque<ProposalAnswer> answers_;
  std::vector<LlmCall> calls_;
};

// Nothing is ever there at once.
class SlowEvaluator : public InstantEvaluator {
 public:
  using InstantEvaluator::InstantEvaluator;
  std::optional<Outcome> wait(int64_t timeout_ms) override {
    if (timeout_ms == 0) return std::nullopt;
    before_waiting();
    return InstantEvaluator::wait(timeout_ms);
  }
  std::function<void()> before_waiting;
};

class SearchLoopTest : public testing::Test {
 protected:
  SearchLoopTest() {
    auto config = simulation::small_config(1, 4);
    config.budget.iterations = 60;
    evolution_.emplace(config, simulation::founders());
    options_.elapsed_s = [this] { return elapsed_s_ += 0.5; };
  }
  bool run() {
    return run_search(*evolution_, proposer_, evaluator_, sink_, options_);
  }
  std::optional<Evolution> evolution_;
  simulation::GeneProposer proposer_{Landscape{}.num_choices};
  InstantEvaluator evaluator_{[this](const EvaluationRequest& request) {
    return simulation::judge(Landscape{}, request, ++judged_);
  }};
  StepList sink_;
  SearchLoopOptions options_;
  double elapsed_s_ = 0;
  int64_t judged_ = 0;
};

TEST_F(SearchLoopTest, RecordsACallBeforeTheStepOfItsCandidate) {
  CallingDesk desk(proposer_);
  options_.progress = [&](const Evolution&, const Step* step) {
    if (!step || step->candidate.generation == 0) return;
    EXPECT_TRUE(std::find(sink_.calls.begin(), sink_.calls.end(),
                          step->candidate.id) != sink_.calls.end());
  };
  EXPECT_TRUE(run_search(*evolution_, desk, evaluator_, sink_, options_));
  EXPECT_EQ(sink_.calls.size(), desk.made);
  EXPECT_GT(sink_.together, 0);
}

TEST_F(SearchLoopTest, WaitsForNothingWhileACallIsNotRecorded) {
  CallingDesk desk(proposer_);
  SlowEvaluator slow([this](const EvaluationRequest& request) {
    return simulation::judge(Landscape{}, request, ++judged_);
  });
  slow.before_waiting = [&] { EXPECT_EQ(sink_.calls.size(), desk.made); };
  EXPECT_TRUE(run_search(*evolution_, desk, slow, sink_, options_));
  EXPECT_GT(desk.made, 40U);
}

TEST_F(SearchLoopTest, RecordsEveryStepInOrder) {
  int64_t reported = 0;
  options_.progress = [&](const Evolution&, const Step* step) {
    if (step) {
      EXPECT_EQ(step->sequence, ++reported);
    }
  };
  EXPECT_TRUE(run());
  EXPECT_TRUE(evolution_->status().finished);
  EXPECT_EQ(evolution_->status().judged, 60);
  ASSERT_EQ(sink_.steps.size(), static_cast<std::size_t>(reported));
  for (std::size_t i = 0; i < sink_.steps.size(); ++i) {
    EXPECT_EQ(sink_.steps[i].sequence, static_cast<int64_t>(i) + 1);
    if (sink_.steps[i].candidate.generation > 0) {
      EXPECT_EQ(sink_.steps[i].candidate.proposer, "genes");
    }
  }
}

TEST_F(SearchLoopTest, AStopLetsWhatIsInFlightFinish) {
  options_.stop = [this] { return sink_.steps.size() >= 20; };
  EXPECT_TRUE(run());
  EXPECT_EQ(evolution_->status().stopping, StopReason::requested);
  EXPECT_EQ(evaluator_.in_flight(), 0);
  EXPECT_GE(sink_.steps.size(), 20u);
  EXPECT_LE(sink_.steps.size(), 40u);
}

TEST_F(SearchLoopTest, AbandoningDropsWhatIsInFlight) {
  options_.abandon = [this] { return sink_.steps.size() >= 20; };
  EXPECT_FALSE(run());
  EXPECT_EQ(sink_.steps.size(), 20u);
  EXPECT_EQ(evaluator_.cancels(), 1);
}

TEST_F(SearchLoopTest, WhatCannotBeRecordedEndsTheSearch) {
  sink_.fail_at = 10;
  EXPECT_THROW(run(), StartupError);
  EXPECT_EQ(evaluator_.cancels(), 1);
  EXPECT_EQ(sink_.steps.size(), 10u);
}

}  // namespace
}  // namespace evoke
