// The threads that run threadgroups, made once.
//
// While a run() lasts, threads wait for each other by spinning; between two
// runs they sleep. run() makes no thread and allocates nothing, so a process
// may forbid itself both once the pool exists.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "evoke/devices/cpu/thread_memory.h"

namespace evoke::cpu {

// Work that is done in parts [begin, end) of [0, count) by any thread, all of
// it before the next task begins.
struct PoolTask {
  using Function = void (*)(const void* context, uint64_t begin, uint64_t end,
                            std::byte* memory);
  Function function = nullptr;
  const void* context = nullptr;
  uint64_t count = 0;
};

struct ThreadPoolOptions {
  int num_threads = 0;  // with the one that calls run(); 0: one per core
  std::size_t memory_bytes = std::size_t{1} << 20;  // of each thread
};

// Belongs to the thread that made it, which is the first of its threads: only
// that one may call run(). With one thread per core each is bound to its own;
// the first one from get_ready() to the end of a run(), so that it leaves its
// core to others in between.
class ThreadPool {
 public:
  explicit ThreadPool(const ThreadPoolOptions& options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return num_threads_; }
  // Before a run() whose time counts: the caller moves to its core.
  void get_ready();
  // Runs the tasks one after another; returns when the last has finished.
  // `memory_bytes`: how much of its memory a thread may use; more cannot be
  // touched. It is filled with NaN afterwards, the stack below it with zeros,
  // and registers are reset, so that nothing survives into the next run.
  void run(std::span<const PoolTask> tasks, std::size_t memory_bytes);

 private:
  void work(std::size_t thread);
  void run_tasks(std::size_t thread, uintptr_t lowest_stack);
  void wait_for_others();

  std::size_t memory_bytes_;
  int num_threads_;
  std::vector<int> cores_;
  bool bound_ = false;                // each thread to a core of its own
  bool ready_to_run_ = false;         // the first one is on its core
  int64_t spin_ns_ = 0;               // before a waiting thread sleeps
  std::vector<ThreadMemory> memory_;  // one per thread
  uintptr_t lowest_stack_ = 0;        // of the first thread
  std::vector<std::thread> threads_;

  // Written by run() before `generation_`, read by the others after it.
  std::span<const PoolTask> tasks_;
  bool stopping_ = false;

  std::atomic<uint32_t> ready_{0};  // threads that wait for run()
  alignas(64) std::atomic<uint32_t> generation_{0};  // of run()
  alignas(64) std::atomic<uint64_t> next_{0};        // first part not taken
  alignas(64) std::atomic<uint32_t> arrived_{0};     // at the end of a task
  alignas(64) std::atomic<uint32_t> phase_{0};       // tasks finished, ever
};

}  // namespace evoke::cpu
