// Runner processes, some started ahead. One thread of the pool starts them
// all, since a runner ends with the thread that started it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "evoke/evaluation/judge/device_lock.h"
#include "evoke/evaluation/judge/runner.h"

namespace evoke::judge {

struct RunnerPoolOptions {
  std::string program;  // path of evoke_runner
  RunnerLimits limits;
  bool shared_memory = true;  // false: everything goes through the socket
  // Of the device that runners use. Null: they start at any time.
  const DeviceLock* device_lock = nullptr;
};

// To start a process disturbs who is timed, so a share of the device is held
// meanwhile; not where the caller holds the device, or the process leaves it
// alone.
enum class Starting { in_a_share, at_once };

class RunnerPool {
 public:
  explicit RunnerPool(RunnerPoolOptions options);
  ~RunnerPool();
  RunnerPool(const RunnerPool&) = delete;
  RunnerPool& operator=(const RunnerPool&) = delete;

  // How many fresh runners of a kind to keep ready.
  void keep_spares(const RunnerSpec& spec, int count);
  // One less than before, where that was more than `least`.
  void keep_one_less(const RunnerSpec& spec, int least);
  // A fresh runner that has greeted; waits when no spare is ready.
  RunnerResult<std::shared_ptr<Runner>> take(
      const RunnerSpec& spec, Starting starting = Starting::in_a_share);
  // Kills all runners handed out; take() fails until resume().
  void cancel();
  void resume();
  // Runners started so far, for tests and for the record.
  int num_started() const;

 private:
  struct Order {
    RunnerSpec spec;
    RunnerResult<std::shared_ptr<Runner>> runner =
        fault(RunnerFault::Kind::cancelled, "cancelled");
    bool done = false;
  };
  std::shared_ptr<Runner> take_spare(const RunnerSpec& spec);
  void work();
  // How many spares of which kind to start now, if any. Called locked.
  std::optional<std::pair<RunnerSpec, int>> missing_spares() const;
  void start_spares(const RunnerSpec& spec, int count);
  RunnerResult<std::shared_ptr<Runner>> start(const RunnerSpec& spec);

  RunnerPoolOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<RunnerSpec, int> wanted_;
  std::map<RunnerSpec, std::deque<std::shared_ptr<Runner>>> spares_;
  std::set<RunnerSpec> broken_;  // spares that would not start
  std::deque<std::shared_ptr<Order>> orders_;
  std::vector<std::weak_ptr<Runner>> handed_out_;
  int num_started_ = 0;
  bool cancelled_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace evoke::judge
