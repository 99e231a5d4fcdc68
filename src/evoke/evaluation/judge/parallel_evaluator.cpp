#include "evoke/evaluation/judge/parallel_evaluator.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace evoke::judge {

ParallelEvaluator::ParallelEvaluator(Workbench& bench, Cascade& cascade,
                                     Confirmer& confirmer,
                                     ParallelEvaluatorOptions options)
    : bench_(bench),
      cascade_(cascade),
      confirmer_(confirmer),
      options_(options) {
  for (int i = 0; i < std::max(options_.num_workers, 1); ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

ParallelEvaluator::~ParallelEvaluator() {
  cancel();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ParallelEvaluator::submit(EvaluationRequest request) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(request));
  }
  changed_.notify_all();
}

std::optional<Outcome> ParallelEvaluator::wait(int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                    [this] { return !finished_.empty() || woken_; });
  woken_ = false;
  if (finished_.empty()) return std::nullopt;
  Outcome outcome = std::move(finished_.front());
  finished_.pop_front();
  return outcome;
}

void ParallelEvaluator::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

int ParallelEvaluator::in_flight() const {
  const std::lock_guard lock(mutex_);
  return running_ + static_cast<int>(queue_.size() + finished_.size());
}

void ParallelEvaluator::cancel() {
  std::unique_lock lock(mutex_);
  queue_.clear();
  cancelling_ = true;
  bench_.cancel();
  changed_.wait(lock, [this] { return running_ == 0; });
  finished_.clear();
  cancelling_ = false;
  bench_.resume();
}

void ParallelEvaluator::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] {
      return stopping_ || (!cancelling_ && !queue_.empty());
    });
    if (stopping_) return;
    const EvaluationRequest request = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    Outcome outcome = evaluate(request);
    lock.lock();
    --running_;
    if (!cancelling_) finished_.push_back(std::move(outcome));
    changed_.notify_all();
  }
}

Outcome ParallelEvaluator::evaluate(const EvaluationRequest& request) {
  Outcome outcome;
  for (int attempt = 1; attempt <= std::max(options_.attempts, 1); ++attempt) {
    try {
      outcome = request.purpose == EvaluationPurpose::confirm
                    ? confirmer_.confirm(request)
                    : cascade_.judge(request);
      if (outcome.kind == OutcomeKind::confirmed && options_.when_confirmed) {
        options_.when_confirmed(request.candidate, outcome);
      }
    } catch (const std::exception& error) {
      // Out of memory, most likely; the search goes on without it.
      outcome = Outcome();
      outcome.candidate = request.candidate.id;
      outcome.message = error.what();
    }
    outcome.details["attempts"] = attempt;
    if (outcome.kind != OutcomeKind::infrastructure_failed ||
        bench_.stopping()) {
      break;
    }
  }
  return outcome;
}

}  // namespace evoke::judge
