// What every kind of judging works with: runners, compilers, the device's
// lock, cases with their answers. Thread-safe, one per problem and device.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "evoke/core/outcome.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/case_pool.h"
#include "evoke/evaluation/judge/compile_cache.h"
#include "evoke/evaluation/judge/device_lock.h"
#include "evoke/evaluation/judge/device_memory.h"
#include "evoke/evaluation/judge/kernel_build.h"
#include "evoke/evaluation/judge/passed_cases.h"
#include "evoke/evaluation/judge/runner_pool.h"
#include "evoke/evaluation/judge/unit_compiler.h"

namespace evoke::judge {

struct WorkbenchOptions {
  std::string runner_path;  // of evoke_runner
  std::string device = "cpu";
  int device_threads = 0;   // 0: one per core
  int spare_runners = 0;    // started ahead for candidates
  std::string lock_folder;  // empty: runtime_folder()
  CompileCacheOptions compile_cache;
  bool use_compile_cache = true;
  CasePoolOptions cases;
  // Another bench's for the same problem, taken over: right answers are costly.
  std::shared_ptr<CasePool> shared_cases;
  RunnerLimits runner_limits;
  int64_t candidate_cpu_seconds = 900;  // of all threads of one runner
  bool shared_memory = true;            // false: for tests of the slow path
  // Empty: where the device has a memory of its own.
  std::optional<bool> gates_share_runners;
};

// What gates of a search run in, and how many candidates ran there before.
struct GateRunner {
  std::shared_ptr<Runner> runner;
  int candidates = 0;
};

class Workbench {
 public:
  // `problem` must outlive it. Errors: no runner program, no compiler, no
  // such device here.
  static Result<std::unique_ptr<Workbench>> open(
      const Problem& problem, const WorkbenchOptions& options);
  ~Workbench();

  const Problem& problem() const { return problem_; }
  const WorkbenchOptions& options() const { return options_; }
  RunnerPool& pool() { return *pool_; }
  UnitCompiler& compiler() { return *compiler_; }
  CasePool& cases() { return *cases_; }
  const std::shared_ptr<CasePool>& shared_cases() const { return cases_; }
  PassedCases& passed_cases() { return passed_cases_; }
  const DeviceLock& lock() const { return *lock_; }
  // For work of this processor's: a share of the device where kernels are timed
  // on it too, and nothing to hold where the device has a processor and a clock
  // of its own. Empty: stop() said so.
  std::optional<DeviceLock::Claim> share_processor() const;
  // Where that is nothing: a share for each of the runner's calls, and not
  // while its answers are looked at. Null elsewhere.
  std::unique_ptr<Runner::SharedCalls> shared_calls(Runner& runner) const;
  // For gates, beside what races hold.
  DeviceMemory& memory() { return *memory_; }
  CompileCache* compile_cache() { return cache_ ? &*cache_ : nullptr; }
  // What the device says of itself.
  const protocol::Greeting& greeting() const { return greeting_; }
  const DeviceLimits& limits() const { return greeting_.limits; }
  Dialect dialect() const { return dialect_; }

  // A fresh runner for a candidate, for a kernel that stays, or for a
  // candidate that a tool is to watch.
  RunnerResult<std::shared_ptr<Runner>> candidate_runner();
  RunnerResult<std::shared_ptr<Runner>> lasting_runner(
      Starting starting = Starting::in_a_share);
  // For a search: one that was given back, where kernels cannot reach the
  // process that runs them, for starting one takes longer than most gates.
  RunnerResult<GateRunner> gate_runner();
  // Holds nothing, and its candidate was right.
  void give_back(GateRunner gate_runner);
  RunnerResult<std::shared_ptr<Runner>> watched_runner(
      const ValidationTool& tool);
  RunnerResult<std::shared_ptr<Runner>> baseline_runner(
      const std::string& name);

  // Plans a kernel text for these shapes.
  Result<KernelBuild> plan(const std::string& text, const std::string& path,
                           const std::vector<Shape>& shapes) const;
  // Compiles every unit that the shapes need. Not empty: the kernel's fault,
  // as an outcome kind and a message fit for a prompt.
  struct Refusal {
    OutcomeKind kind = OutcomeKind::compile_failed;
    std::string message;
  };
  RunnerResult<std::optional<Refusal>> compile(
      KernelBuild& build, const std::vector<Shape>& shapes);

  // Ends everything that waits or runs, until resume().
  void cancel();
  void resume();
  bool stopping() const { return stopping_; }
  std::function<bool()> stop() const {
    return [this] { return stopping(); };
  }

 private:
  Workbench(const Problem& problem, WorkbenchOptions options);
  RunnerSpec execute_spec(int64_t cpu_seconds) const;
  bool gates_share_runners() const;

  const Problem& problem_;
  WorkbenchOptions options_;
  std::atomic<bool> stopping_{false};
  std::string private_folder_;  // of the compilers; removed at the end
  std::optional<DeviceLock> lock_;
  std::optional<DeviceMemory> memory_;
  std::optional<CompileCache> cache_;
  std::unique_ptr<RunnerPool> pool_;
  std::unique_ptr<UnitCompiler> compiler_;
  std::shared_ptr<CasePool> cases_;
  PassedCases passed_cases_;
  std::mutex gate_runners_mutex_;
  std::vector<GateRunner> gate_runners_;  // free ones
  protocol::Greeting greeting_;
  Dialect dialect_ = Dialect::cpu;
};

}  // namespace evoke::judge
