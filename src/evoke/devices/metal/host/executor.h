// Runs one threadgroup of a Metal kernel with the semantics of its threads:
// simdgroups of 32 lanes that meet at simd functions, barriers, threadgroup
// memory. One executor per thread of the system; no preemption, one order.
//
// Lanes run one after another until they have to wait. When all lanes of a
// simdgroup wait at the same place, they go on. When they wait at different
// places, those at the earliest line go on without the others: legal for
// reductions over the active lanes, and noted.
#pragma once

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "evoke/devices/metal/host/access.h"
#include "evoke/devices/metal/host/checker.h"
#include "evoke/devices/metal/host/fiber.h"
#include "evoke/devices/metal/host/finding.h"
#include "evoke/devices/metal/host/kernel_abi.h"

namespace evoke::metal::host {

inline constexpr int64_t kThreadgroupMemoryBytes = kEvokeMetalThreadgroupBytes;
inline constexpr uint32_t kMaxThreads = 1024;
inline constexpr uint32_t kSimdWidth = 32;

// One launch, the same for all its threadgroups.
struct GridLaunch {
  EvokeMetalFunction function = nullptr;
  EvokeMetalFunction checked_function = nullptr;
  const CodeMap* code = nullptr;  // of `function`
  const CodeMap* checked_code = nullptr;
  void* const* arguments = nullptr;
  std::array<uint32_t, 3> threadgroups{1, 1, 1};
  std::array<uint32_t, 3> threads{1, 1, 1};          // of a whole threadgroup
  std::array<uint32_t, 3> threads_in_grid{1, 1, 1};  // may leave a tail
  MemoryMap* map = nullptr;
  uint32_t number = 0;  // of the launch, ever: orders what it writes
};

class Executor {
 public:
  Executor();
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Runs threadgroup `index` (x first). Stops at the first finding that is no
  // note. So many accesses are watched, and the rest of a threadgroup that
  // makes more is not; 0: none, in the kernel's quick form.
  void run(const GridLaunch& launch, uint64_t index, int64_t watched_accesses);

  // Of all runs since take_findings().
  std::vector<Finding> take_findings();
  // Reads of device memory that nothing had written by then. They are right
  // only if no finding of the launch explains them better.
  std::vector<Finding> take_pending();
  bool failed() const { return failed_; }
  // Of the latest run: what was watched, and whether that was all.
  int64_t accesses() const { return checked_ ? checker_->accesses() : 0; }
  bool watched_all() const { return checked_ && !checker_->is_spent(); }

  // The executor whose kernel runs in this thread; null: none does.
  static Executor* running() { return running_; }

  // What kernels call (hooks.cpp).
  const EvokeMetalThread* thread() const { return &lanes_[current_].thread; }
  EvokeMetalLanes* exchange(uint64_t first, uint64_t second, uint64_t third,
                            uint64_t place);
  void barrier(uint32_t flags, uint64_t place);
  void* threadgroup_memory(const EvokeMetalVariable& variable);
  void lane_fault(int32_t fault, int32_t value, int32_t line);
  template <std::size_t Bytes>
  void access(uintptr_t address, Access kind, const void* code) {
    if (!checker_->is_plain<Bytes>(address)) access(address, Bytes, kind, code);
  }
  void access(uintptr_t address, std::size_t bytes, Access kind,
              const void* code);
  void copy(uintptr_t to, uintptr_t from, std::size_t bytes, const void* code);
  void set_frame(uintptr_t shadow, std::size_t count, uint8_t value) {
    checker_->set_frame(shadow, count, value);
  }
  // From the signal handler: does not return when the fault is a kernel's.
  void memory_fault(uintptr_t address, const void* code);

 private:
  struct Lane {
    uint64_t place = 0;  // where it waits: evoke_metal_place()
    Executor* executor = nullptr;
    EvokeMetalThread thread{};
  };
  struct Simdgroup {
    uint32_t live = 0;  // not returned
    uint32_t runnable = 0;
    uint32_t waiting = 0;  // at a simd function or a simdgroup_barrier
    uint32_t parked = 0;   // at a threadgroup_barrier
    // Of all that wait, as long as it is the same; then lanes know their own.
    uint64_t place = 0;
    bool same_place = true;
    uint32_t flags = 0;  // of a simdgroup_barrier
    uint32_t turn = 0;   // which of `lanes` is being filled
    Meetings meetings;
    std::array<EvokeMetalLanes, 4> lanes;
    std::array<uint8_t, kSimdWidth> answer{};  // which of them each lane gets
  };
  struct Variable {
    const EvokeMetalVariable* declared = nullptr;
    std::size_t offset = 0;
  };

  static void enter(void* lane);
  static void on_fault(uintptr_t address, const void* code);
  [[noreturn]] void finish_lane();
  [[noreturn]] void stop();
  void fail(FindingKind kind, int line, std::string message);
  void report_pending();
  void note(FindingKind kind, int line, std::string message);
  void set_up(const GridLaunch& launch, uint64_t index);
  void part(std::size_t group);
  void go_on(Simdgroup& group, uint32_t lanes);
  void complete(Simdgroup& group);
  void resolve_divergence(std::size_t group);
  bool resolve_barrier();
  std::size_t next_lane();
  void switch_to(std::size_t lane);
  void meet(Meetings& meetings, uint32_t flags);
  Accessor accessor() const;

  static constinit thread_local Executor* running_;

  Stacks stacks_;
  std::byte* memory_ = nullptr;  // threadgroup memory, with room around it
  std::size_t memory_used_ = 0;
  int64_t memory_declared_ = 0;
  std::unique_ptr<Checker> checker_;
  std::vector<Lane> lanes_;
  std::vector<Context> contexts_;  // of the lanes; null: not begun
  std::vector<Simdgroup> simdgroups_;
  std::vector<Variable> variables_;
  std::size_t num_lanes_ = 0;
  std::size_t num_simdgroups_ = 0;
  std::size_t current_ = 0;
  std::size_t returned_ = 0;
  uint32_t barrier_flags_ = 0;
  Meetings meetings_;  // of the threadgroup
  uint32_t now_ = 0;   // moves on with every barrier, and never back
  Context main_ = nullptr;
  sigjmp_buf fault_return_;
  const GridLaunch* launch_ = nullptr;
  const CodeMap* code_ = nullptr;
  uint64_t index_ = 0;
  bool checked_ = false;
  bool stopped_ = false;
  bool failed_ = false;
  std::vector<Finding> findings_;
};

}  // namespace evoke::metal::host
