// Judges candidates on several threads and devices: compiling and gating side
// by side, timing one after another on each device.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "evoke/evaluation/judge/cascade.h"
#include "evoke/evaluation/judge/confirmer.h"
#include "evoke/evaluation/judge/workbench.h"
#include "evoke/evolution/interfaces/evaluator.h"

namespace evoke::judge {

// One device and the judging that is done on it; all must outlive the
// evaluator. One evaluator at a time per workbench: cancel() cancels all that
// the workbench does.
struct EvaluatorDevice {
  Workbench& bench;
  Cascade& cascade;
  Confirmer& confirmer;
  // Which of several it is: `device` in the details of what it judged. Empty:
  // there is but one, and nothing is said.
  std::string id = {};
  // Adds to the details of what was confirmed. Called by workers, for one
  // outcome at a time per worker; must outlive the evaluator.
  std::function<void(const Candidate&, Outcome&)> when_confirmed = {};
};

struct ParallelEvaluatorOptions {
  int num_workers = 1;  // over all devices; every device has one at least
  // How often an evaluation is tried on one device when it fails for the
  // machine's reasons. After that another device tries.
  int attempts = 3;
  // Told once of every device that is given up, in words. Called by workers.
  std::function<void(const std::string&)> notice;
};

// A request goes to whichever device has a free worker. One that fails on a
// device for the machine's reasons goes on to the others, and is reported as
// failed when none could judge it. A device that fails so time after time
// where another one succeeds is given up: it judges nothing any more.
class ParallelEvaluator : public Evaluator {
 public:
  // `devices`: one at least. Scores are compared with each other, so they
  // have to be alike.
  ParallelEvaluator(std::vector<EvaluatorDevice> devices,
                    ParallelEvaluatorOptions options);
  ~ParallelEvaluator() override;
  ParallelEvaluator(const ParallelEvaluator&) = delete;
  ParallelEvaluator& operator=(const ParallelEvaluator&) = delete;

  void submit(EvaluationRequest request) override;
  std::optional<Outcome> wait(int64_t timeout_ms) override;
  void wake() override;
  int in_flight() const override;
  void cancel() override;

  // The first device, as an index, that is not given up.
  std::size_t first_in_service() const;

 private:
  struct Task {
    EvaluationRequest request;
    std::set<std::size_t> failed_on;  // devices
    int attempts = 0;                 // on all of them
    Outcome outcome;                  // of the latest
  };
  struct Seat {
    EvaluatorDevice device;
    // Requests in a row that failed here and were judged elsewhere.
    int failures = 0;
    std::string last_failure = {};
    bool given_up = false;
  };
  void work(std::size_t at);
  void evaluate(const EvaluatorDevice& device, Task& task) const;
  // Called locked.
  std::deque<Task>::iterator next_for(std::size_t at);
  bool can_go_on(const Task& task) const;
  // Returns what is to be said of devices that are given up.
  std::vector<std::string> settle(std::size_t at, Task task);
  std::string give_up(Seat& seat);

  std::vector<Seat> seats_;
  ParallelEvaluatorOptions options_;
  mutable std::mutex mutex_;  // guards what follows, and what seats count
  std::condition_variable changed_;
  std::deque<Task> queue_;
  std::deque<Outcome> finished_;
  int running_ = 0;
  bool woken_ = false;
  bool cancelling_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace evoke::judge
