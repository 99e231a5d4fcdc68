// Compiles units through compile runners, each distinct one once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/compile_cache.h"
#include "evoke/evaluation/judge/device_lock.h"
#include "evoke/evaluation/judge/runner_pool.h"

namespace evoke::judge {

struct CompiledUnit {
  protocol::Compiled compiled;
  std::string code_hash;  // equal for units that are compiled to equal code
  bool was_cached = false;
};

struct UnitCompilerOptions {
  RunnerSpec spec;              // role compile
  int64_t timeout_ms = 90'000;  // the runner has a limit of its own below this
};

// Thread-safe.
class UnitCompiler {
 public:
  // `cache` may be null.
  UnitCompiler(RunnerPool& pool, const DeviceLock& lock, CompileCache* cache,
               UnitCompilerOptions options);

  // Takes its share of the device lock only while it really compiles, and
  // none where kernels run on another processor.
  // Faults: no compiler, or the runner could not serve; what the compiler
  // says about the code is in the answer. `stop` ends waiting.
  RunnerResult<std::shared_ptr<const CompiledUnit>> compile(
      const KernelSource& kernel, const ProblemSignature& signature,
      const CompileUnit& unit, const std::function<bool()>& stop);

  // What the compile runners said of themselves; starts one if need be.
  RunnerResult<protocol::Greeting> greeting();

 private:
  RunnerResult<std::string> known_compiler_id();
  RunnerResult<std::shared_ptr<Runner>> take_runner();
  void give_back(std::shared_ptr<Runner> runner);
  RunnerResult<std::shared_ptr<const CompiledUnit>> compile_in_runner(
      const KernelSource& kernel, const ProblemSignature& signature,
      const CompileUnit& unit, const std::function<bool()>& stop);

  RunnerPool& pool_;
  const DeviceLock& lock_;
  CompileCache* cache_;
  UnitCompilerOptions options_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::vector<std::shared_ptr<Runner>> idle_;  // greeted and alive
  std::set<std::string> compiling_;            // keys
  std::string compiler_id_;
  // Compilers take nothing from a device with a processor of its own.
  std::atomic<bool> beside_timing_ = false;
};

}  // namespace evoke::judge
