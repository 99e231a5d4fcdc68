// Judges candidates on several threads: compiling and gating side by side,
// timing one after another.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "evoke/evaluation/judge/cascade.h"
#include "evoke/evaluation/judge/confirmer.h"
#include "evoke/evaluation/judge/workbench.h"
#include "evoke/evolution/interfaces/evaluator.h"

namespace evoke::judge {

struct ParallelEvaluatorOptions {
  int num_workers = 1;
  // How often an evaluation is tried when it fails for the machine's reasons.
  int attempts = 3;
  // Adds to the details of what was confirmed. Called by workers, for one
  // outcome at a time per worker; must outlive the evaluator.
  std::function<void(const Candidate&, Outcome&)> when_confirmed;
};

class ParallelEvaluator : public Evaluator {
 public:
  // All must outlive it. One evaluator at a time per workbench: cancel()
  // cancels all that the workbench does.
  ParallelEvaluator(Workbench& bench, Cascade& cascade, Confirmer& confirmer,
                    ParallelEvaluatorOptions options);
  ~ParallelEvaluator() override;
  ParallelEvaluator(const ParallelEvaluator&) = delete;
  ParallelEvaluator& operator=(const ParallelEvaluator&) = delete;

  void submit(EvaluationRequest request) override;
  std::optional<Outcome> wait(int64_t timeout_ms) override;
  void wake() override;
  int in_flight() const override;
  void cancel() override;

 private:
  void work();
  Outcome evaluate(const EvaluationRequest& request);

  Workbench& bench_;
  Cascade& cascade_;
  Confirmer& confirmer_;
  ParallelEvaluatorOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<EvaluationRequest> queue_;
  std::deque<Outcome> finished_;
  int running_ = 0;
  bool woken_ = false;
  bool cancelling_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace evoke::judge
