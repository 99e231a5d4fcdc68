// The metal device's DeviceSession on a host: loads what HostCompiler made
// and runs it in executors, several threadgroups at a time.
//
// The first run of a shape is watched: every access of as many threadgroups
// as a budget allows, spread over the grid, the first and the last among
// them; the others run unwatched. What is found ends the run and is told by
// findings().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evoke/devices/cpu/thread_pool.h"
#include "evoke/devices/device.h"
#include "evoke/devices/metal/host/artifact.h"
#include "evoke/devices/metal/host/finding.h"

namespace evoke::metal::host {

struct SessionOptions {
  int num_threads = 0;  // 0: one per core it may use
  // Accesses to watch per launch, and at most in one threadgroup. The first
  // and the last one are always watched.
  int64_t watched_accesses = 8'000'000;
  bool watch = true;
};

class HostSession final : public DeviceSession {
 public:
  explicit HostSession(const SessionOptions& options);
  ~HostSession() override;

  Result<ProgramId> load(std::span<const std::byte> artifact) override;
  void unload(ProgramId program) override;
  Result<CallId> prepare(ProgramId program, const LaunchPlan& plan,
                         std::vector<BoundTensor> tensors) override;
  void release(CallId call) override;
  void get_ready() override { pool_.get_ready(); }
  Result<void> run(std::span<const CallId> calls) override;
  std::vector<DeviceFinding> findings() const override;

  // Of the latest run, errors before notes, in a stable order.
  const std::vector<Finding>& raw_findings() const { return findings_; }
  // Of the latest run: threadgroups watched, and all.
  int64_t watched_threadgroups() const { return watched_; }
  int64_t all_threadgroups() const { return all_; }

 private:
  struct Program;
  struct Call;
  struct Work;
  Result<void> bind(Call& call, const Program& program, const LaunchPlan& plan);
  void run_call(Call& call);
  void run_launch(Call& call, std::size_t index, bool watched);
  bool find_unwritten(Call& call);
  void gather(Work& work);
  static void run_part(const void* context, uint64_t begin, uint64_t end,
                       std::byte* memory);

  SessionOptions options_;
  cpu::ThreadPool pool_;
  std::map<ProgramId, std::unique_ptr<Program>> programs_;
  std::map<CallId, std::unique_ptr<Call>> calls_;
  ProgramId next_program_ = 1;
  CallId next_call_ = 1;
  uint32_t next_launch_ = 1;
  std::vector<Finding> findings_;
  int64_t watched_ = 0;
  int64_t all_ = 0;
};

// "race in threadgroup memory at line 41: ...", for a prompt.
std::string to_text(const Finding& finding);

}  // namespace evoke::metal::host
