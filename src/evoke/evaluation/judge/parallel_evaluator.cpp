#include "evoke/evaluation/judge/parallel_evaluator.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace evoke::judge {
namespace {

// One request may fail on one device by chance.
constexpr int kFailuresToGiveUp = 3;

}  // namespace

ParallelEvaluator::ParallelEvaluator(std::vector<EvaluatorDevice> devices,
                                     ParallelEvaluatorOptions options)
    : options_(std::move(options)) {
  for (EvaluatorDevice& device : devices) {
    seats_.push_back({std::move(device)});
  }
  const std::size_t num_workers =
      std::max(static_cast<std::size_t>(std::max(options_.num_workers, 1)),
               seats_.size());
  for (std::size_t i = 0; i < num_workers; ++i) {
    threads_.emplace_back([this, at = i % seats_.size()] { work(at); });
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
    Task task;
    task.request = std::move(request);
    queue_.push_back(std::move(task));
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
  for (const Seat& seat : seats_) seat.device.bench.cancel();
  changed_.wait(lock, [this] { return running_ == 0; });
  finished_.clear();
  cancelling_ = false;
  for (const Seat& seat : seats_) seat.device.bench.resume();
}

std::size_t ParallelEvaluator::first_in_service() const {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(seats_.begin(), seats_.end(),
                   [](const Seat& seat) { return !seat.given_up; });
  return static_cast<std::size_t>(found - seats_.begin());
}

void ParallelEvaluator::work(std::size_t at) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] {
      return stopping_ || (!cancelling_ && next_for(at) != queue_.end());
    });
    if (stopping_) return;
    const auto next = next_for(at);
    Task task = std::move(*next);
    queue_.erase(next);
    ++running_;
    lock.unlock();
    evaluate(seats_[at].device, task);
    lock.lock();
    --running_;
    std::vector<std::string> notices;
    if (!cancelling_) notices = settle(at, std::move(task));
    changed_.notify_all();
    if (notices.empty() || !options_.notice) continue;
    lock.unlock();
    for (const std::string& each : notices) options_.notice(each);
    lock.lock();
  }
}

void ParallelEvaluator::evaluate(const EvaluatorDevice& device,
                                 Task& task) const {
  const EvaluationRequest& request = task.request;
  for (int i = 0; i < std::max(options_.attempts, 1); ++i) {
    ++task.attempts;
    Outcome& outcome = task.outcome;
    try {
      outcome = request.purpose == EvaluationPurpose::confirm
                    ? device.confirmer.confirm(request)
                    : device.cascade.judge(request);
      if (outcome.kind == OutcomeKind::confirmed && device.when_confirmed) {
        device.when_confirmed(request.candidate, outcome);
      }
    } catch (const std::exception& error) {
      // Out of memory, most likely; the search goes on without it.
      outcome = Outcome();
      outcome.candidate = request.candidate.id;
      outcome.message = error.what();
    }
    outcome.details["attempts"] = task.attempts;
    if (!device.id.empty()) outcome.details["device"] = device.id;
    if (outcome.kind != OutcomeKind::infrastructure_failed ||
        device.bench.stopping()) {
      break;
    }
  }
}

std::deque<ParallelEvaluator::Task>::iterator ParallelEvaluator::next_for(
    std::size_t at) {
  if (seats_[at].given_up) return queue_.end();
  return std::find_if(queue_.begin(), queue_.end(), [&](const Task& task) {
    return !task.failed_on.contains(at);
  });
}

bool ParallelEvaluator::can_go_on(const Task& task) const {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    if (!seats_[i].given_up && !task.failed_on.contains(i)) return true;
  }
  return false;
}

std::vector<std::string> ParallelEvaluator::settle(std::size_t at, Task task) {
  std::vector<std::string> notices;
  if (task.outcome.kind == OutcomeKind::infrastructure_failed) {
    task.failed_on.insert(at);
    seats_[at].last_failure = task.outcome.message;
    if (can_go_on(task)) {
      queue_.push_front(std::move(task));
      return notices;
    }
  } else if (!seats_[at].given_up) {
    // It was not the request: what failed on it before is to blame.
    seats_[at].failures = 0;
    for (const std::size_t device : task.failed_on) {
      Seat& seat = seats_[device];
      if (++seat.failures >= kFailuresToGiveUp && !seat.given_up) {
        notices.push_back(give_up(seat));
      }
    }
  }
  finished_.push_back(std::move(task.outcome));
  return notices;
}

// The device that judged what failed here is in service, so one remains.
std::string ParallelEvaluator::give_up(Seat& seat) {
  seat.given_up = true;
  // Nobody else may be left for what waits.
  for (auto task = queue_.begin(); task != queue_.end();) {
    if (can_go_on(*task)) {
      ++task;
      continue;
    }
    finished_.push_back(std::move(task->outcome));
    task = queue_.erase(task);
  }
  return "device " + seat.device.id + " is given up: " + seat.last_failure +
         "; the search goes on with the others";
}

}  // namespace evoke::judge
