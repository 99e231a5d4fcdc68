// An Evaluator that judges at once, on the search's thread, in the order of
// submission.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "evoke/evolution/interfaces/evaluator.h"

namespace evoke {

class InstantEvaluator : public Evaluator {
 public:
  using Judge = std::function<Outcome(const EvaluationRequest&)>;
  explicit InstantEvaluator(Judge judge) : judge_(std::move(judge)) {}

  void submit(EvaluationRequest request) override {
    waiting_.push_back(std::move(request));
  }
  std::optional<Outcome> wait(int64_t timeout_ms) override {
    if (waiting_.empty()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                        [this] { return woken_; });
      woken_ = false;
      return std::nullopt;
    }
    const EvaluationRequest request = std::move(waiting_.front());
    waiting_.pop_front();
    return judge_(request);
  }
  void wake() override {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_all();
  }
  int in_flight() const override { return static_cast<int>(waiting_.size()); }
  void cancel() override {
    waiting_.clear();
    ++cancels_;
  }
  int cancels() const { return cancels_; }

 private:
  Judge judge_;
  std::deque<EvaluationRequest> waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  int cancels_ = 0;
};

}  // namespace evoke
