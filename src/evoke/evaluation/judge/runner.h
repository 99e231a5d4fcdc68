// The judge's end of one runner process. Belongs to one thread at a time;
// cancel() may come from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/subprocess.h"
#include "evoke/evaluation/judge/device_lock.h"
#include "evoke/evaluation/judge/runner_fault.h"
#include "evoke/evaluation/judge/validation_tool.h"
#include "evoke/evaluation/protocol/channel.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/protocol/shared_memory.h"

namespace evoke::judge {

// What to start. Runners of equal specs are interchangeable while fresh.
struct RunnerSpec {
  protocol::Role role = protocol::Role::execute;
  std::string device = "cpu";
  std::string baseline;
  int num_threads = 0;
  std::string private_folder;
  int64_t cpu_seconds = 0;
  ValidationTool tool;  // that watches it; without a name: none
  auto operator<=>(const RunnerSpec&) const = default;
};

struct RunnerLimits {
  int64_t start_timeout_ms = 30'000;
  // Of the process itself, beside what the judge lends it.
  int64_t memory_bytes = int64_t{4} << 30;
};

class Runner {
 public:
  // Starts the process and does not wait for it. Its life is tied to the
  // calling thread's on Linux: runner_pool.h has the thread for that.
  static RunnerResult<std::unique_ptr<Runner>> start(const std::string& program,
                                                     const RunnerSpec& spec,
                                                     const RunnerLimits& limits,
                                                     bool shared_memory);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Waits for its greeting; must come first.
  RunnerResult<void> greet();
  const protocol::Greeting& greeting() const { return greeting_; }

  // Sends and waits. After any fault but `refused` the process is gone.
  template <typename T>
  RunnerResult<typename T::Reply> call(const T& request, int64_t timeout_ms,
                                       std::span<const int> descriptors = {});

  // While it lives, each call holds a share of the device, and waits for it
  // first; what ends the waiting ends the runner as well.
  class SharedCalls {
   public:
    SharedCalls(Runner& runner, const DeviceLock& lock,
                std::function<bool()> stop);
    ~SharedCalls();
    SharedCalls(const SharedCalls&) = delete;
    SharedCalls& operator=(const SharedCalls&) = delete;

   private:
    Runner& runner_;
  };
  // Calls that belong together: one share, waited for at the start, is held
  // from the first to the last.
  class OneShare {
   public:
    explicit OneShare(Runner& runner) : runner_(runner) {
      if (runner.share_) runner.held_ = runner.share_();
    }
    ~OneShare() { runner_.held_.reset(); }
    OneShare(const OneShare&) = delete;
    OneShare& operator=(const OneShare&) = delete;

   private:
    Runner& runner_;
  };

  // Lends memory: shared where that works, else copied over. Gives its number.
  RunnerResult<int> lend(const protocol::SharedMemory& memory, bool writable);
  RunnerResult<void> take_back(int buffer);
  // Brings bytes that the judge changed to the runner, or that the runner
  // changed to the judge. Nothing happens where memory is shared.
  RunnerResult<void> push(int buffer, const protocol::SharedMemory& memory,
                          int64_t offset_bytes, int64_t bytes);
  RunnerResult<void> pull(int buffer, const protocol::SharedMemory& memory,
                          int64_t offset_bytes, int64_t bytes);

  // Tells it that nothing more comes and waits for its end, and that of the
  // tool that watches it.
  WatchedEnd finish();
  // Kills it; the call that waits for it ends as `cancelled`.
  void cancel();
  // Its process and all that it started stand still, or go on. Nothing where
  // the system has no such thing.
  void pause();
  void resume();
  bool usable() const { return usable_ && !cancelled_; }
  pid_t pid() const { return process_.pid(); }
  // The end of what it printed, for messages about crashes. Never parsed.
  std::string output_tail();

 private:
  Runner(protocol::Channel channel, Subprocess process, RunnerLimits limits,
         bool shared_memory, std::string nonce);
  RunnerResult<Json> exchange(std::string_view type, Json body,
                              int64_t timeout_ms,
                              std::span<const int> descriptors);
  RunnerResult<protocol::Message> await(int64_t deadline_ns);
  tl::unexpected<RunnerFault> end(RunnerFault::Kind kind, std::string message);
  tl::unexpected<RunnerFault> end_after(const Error& error);

  protocol::Channel channel_;
  Subprocess process_;
  RunnerLimits limits_;
  bool shared_memory_ = true;
  // Set while each call holds a share of the device.
  std::function<std::optional<DeviceLock::Claim>()> share_;
  std::optional<DeviceLock::Claim> held_;  // for several calls
  int64_t end_timeout_ms_;
  std::string nonce_;
  protocol::Greeting greeting_;
  int64_t number_ = 0;
  int next_buffer_ = 1;
  // Bytes by buffer that the runner holds as memory of its own because they
  // had to be copied over: the judge's doing, not a candidate's.
  std::map<int, int64_t> copied_bytes_;
  bool usable_ = true;
  std::atomic<bool> cancelled_{false};
  std::mutex kill_mutex_;  // guards the process id against being reused
};

template <typename T>
RunnerResult<typename T::Reply> Runner::call(const T& request,
                                             int64_t timeout_ms,
                                             std::span<const int> descriptors) {
  auto body = exchange(T::kType, request.to_json(), timeout_ms, descriptors);
  if (!body) return fault_of(body);
  auto reply = T::Reply::from_json(*body);
  if (!reply) {
    return end(RunnerFault::Kind::garbage,
               "the runner answered nonsense: " + reply.error().message);
  }
  return std::move(*reply);
}

}  // namespace evoke::judge
