#include "evoke/devices/cpu/thread_pool.h"

#include <algorithm>

#include "evoke/base/clock.h"
#include "evoke/devices/cpu/call_residue.h"
#include "evoke/devices/cpu/cpu_features.h"

namespace evoke::cpu {
namespace {

// A thread that waits longer than this sleeps. Waking takes some 50 us in a
// virtual machine; spinning much longer than that only takes the core away
// from whoever is waited for.
constexpr int64_t kSpinNs = 300'000;
constexpr int kSpinsPerClock = 64;
// Parts are taken one at a time until a task has very many of them.
constexpr uint64_t kPartsPerThread = 64;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits until `value` is no longer `old`.
void wait_while(const std::atomic<uint32_t>& value, uint32_t old,
                int64_t spin_ns) {
  const int64_t start_ns = spin_ns > 0 ? monotonic_ns() : 0;
  while (spin_ns > 0 && monotonic_ns() - start_ns < spin_ns) {
    for (int i = 0; i < kSpinsPerClock; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      relax();
    }
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(const ThreadPoolOptions& options)
    : memory_bytes_(options.memory_bytes), cores_(allowed_cores()) {
  num_threads_ = options.num_threads > 0 ? options.num_threads
                                         : static_cast<int>(cores_.size());
  const auto count = static_cast<std::size_t>(num_threads_);
  for (std::size_t i = 0; i < count; ++i) memory_.emplace_back(memory_bytes_);
  // Fewer threads than cores are left to the system: other pools may want the
  // same ones.
  bound_ = count == cores_.size();
  // With more threads than cores, who spins keeps others from arriving.
  spin_ns_ = count <= cores_.size() ? kSpinNs : 0;
  for (std::size_t i = 1; i < count; ++i) {
    threads_.emplace_back([this, i] { work(i); });
  }
  lowest_stack_ = lowest_stack_address();
  // What threads do when they begin may be forbidden soon.
  for (std::size_t i = 1; i < count; ++i) {
    for (uint32_t now = ready_.load(); now < i; now = ready_.load()) {
      ready_.wait(now);
    }
  }
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  if (ready_to_run_) bind_thread(cores_);
}

void ThreadPool::get_ready() {
  if (!bound_ || ready_to_run_) return;
  bind_thread({cores_[0]});
  ready_to_run_ = true;
}

void ThreadPool::run(std::span<const PoolTask> tasks,
                     std::size_t memory_bytes) {
  // Only the end of a task tells that all threads have seen this run.
  if (tasks.empty()) return;
  tasks_ = tasks;
  for (ThreadMemory& memory : memory_) memory.open(memory_bytes);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  run_tasks(0, lowest_stack_);
  if (ready_to_run_) bind_thread(cores_);
  ready_to_run_ = false;
}

void ThreadPool::work(std::size_t thread) {
  if (bound_) bind_thread({cores_[thread]});
  const uintptr_t lowest_stack = lowest_stack_address();
  ready_.fetch_add(1);
  ready_.notify_all();
  for (uint32_t seen = 0;;) {
    generation_.wait(seen, std::memory_order_acquire);
    ++seen;
    if (stopping_) return;
    run_tasks(thread, lowest_stack);
  }
}

void ThreadPool::run_tasks(std::size_t thread, uintptr_t lowest_stack) {
  // After the last task run() may return and be called again: nothing shared
  // but `generation_` is read from then on.
  const std::span<const PoolTask> tasks = tasks_;
  const auto num_threads = static_cast<uint64_t>(num_threads_);
  for (const PoolTask& task : tasks) {
    const uint64_t part =
        std::max<uint64_t>(1, task.count / (num_threads * kPartsPerThread));
    for (;;) {
      const uint64_t begin = next_.fetch_add(part, std::memory_order_relaxed);
      if (begin >= task.count) break;
      task.function(task.context, begin, std::min(begin + part, task.count),
                    memory_[thread].data());
    }
    if (&task == &tasks.back()) memory_[thread].poison();
    wait_for_others();
  }
  clear_residue(lowest_stack);
}

// The last thread to arrive opens the next task.
void ThreadPool::wait_for_others() {
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  const auto others = static_cast<uint32_t>(num_threads_ - 1);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == others) {
    arrived_.store(0, std::memory_order_relaxed);
    next_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    phase_.notify_all();
  } else {
    wait_while(phase_, phase, spin_ns_);
  }
}

}  // namespace evoke::cpu
