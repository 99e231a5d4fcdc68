// The cpu device's DeviceSession: loads shared objects that CpuCompiler made
// and runs their threadgroups on the thread pool.
//
// After open() no thread is made. load() needs memfd_create, open for reading,
// mmap and mprotect; prepare() and run() need no more than futex. run()
// allocates nothing once it has seen as many calls as before.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "evoke/devices/cpu/kernel_abi.h"
#include "evoke/devices/cpu/shared_object.h"
#include "evoke/devices/cpu/thread_pool.h"
#include "evoke/devices/device.h"

namespace evoke::cpu {

class CpuSession final : public DeviceSession {
 public:
  explicit CpuSession(const ThreadPoolOptions& options);
  ~CpuSession() override;

  // Checks the object again (object_check.h): it may come from a disk.
  Result<ProgramId> load(std::span<const std::byte> artifact) override;
  // Calls of this program must be released before.
  void unload(ProgramId program) override;
  // Zeroes self_reset scratch; what else is in the tensors is the caller's.
  // Bases must be 8-byte aligned.
  Result<CallId> prepare(ProgramId program, const LaunchPlan& plan,
                         std::vector<BoundTensor> tensors) override;
  void release(CallId call) override;
  void get_ready() override { pool_.get_ready(); }
  Result<void> run(std::span<const CallId> calls) override;

  int num_threads() const { return pool_.num_threads(); }

 private:
  struct Call;
  Result<void> bind(Call& call, const SharedObject& object,
                    const LaunchPlan& plan) const;

  std::size_t memory_bytes_;
  ThreadPool pool_;
  std::map<ProgramId, std::unique_ptr<SharedObject>> programs_;
  std::map<CallId, std::unique_ptr<Call>> calls_;
  ProgramId next_program_ = 1;
  CallId next_call_ = 1;
  std::vector<PoolTask> tasks_;  // of one run(); kept for its memory
};

}  // namespace evoke::cpu
