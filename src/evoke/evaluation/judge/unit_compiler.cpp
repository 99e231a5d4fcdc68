#include "evoke/evaluation/judge/unit_compiler.h"

#include <chrono>
#include <optional>
#include <utility>

#include "evoke/base/hash.h"
#include "evoke/evaluation/judge/unit_identity.h"
#include "evoke/evaluation/judge/yielding_share.h"

namespace evoke::judge {
namespace {

using Kind = RunnerFault::Kind;
using Unit = std::shared_ptr<const CompiledUnit>;

Unit make_unit(protocol::Compiled compiled, bool was_cached) {
  auto unit = std::make_shared<CompiledUnit>();
  // Compilers that write more than code into an object have a hash of that.
  const auto named = compiled.report.find("code_hash");
  unit->code_hash = named != compiled.report.end() && named->is_string()
                        ? named->get<std::string>()
                        : hash_hex(std::span(compiled.artifact));
  unit->compiled = std::move(compiled);
  unit->was_cached = was_cached;
  return unit;
}

}  // namespace

UnitCompiler::UnitCompiler(RunnerPool& pool, const DeviceLock& lock,
                           CompileCache* cache, UnitCompilerOptions options)
    : pool_(pool), lock_(lock), cache_(cache), options_(std::move(options)) {}

RunnerResult<std::shared_ptr<Runner>> UnitCompiler::take_runner() {
  {
    const std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
      std::shared_ptr<Runner> runner = std::move(idle_.back());
      idle_.pop_back();
      if (runner->usable()) return runner;
    }
  }
  return pool_.take(options_.spec, Starting::at_once);
}

void UnitCompiler::give_back(std::shared_ptr<Runner> runner) {
  if (!runner->usable()) return;
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(runner));
}

RunnerResult<protocol::Greeting> UnitCompiler::greeting() {
  auto runner = take_runner();
  if (!runner) return fault_of(runner);
  protocol::Greeting greeting = (*runner)->greeting();
  give_back(std::move(*runner));
  const std::lock_guard lock(mutex_);
  compiler_id_ = greeting.compiler_id;
  beside_timing_ = greeting.own_clock;
  return greeting;
}

RunnerResult<std::string> UnitCompiler::known_compiler_id() {
  {
    const std::lock_guard lock(mutex_);
    if (!compiler_id_.empty()) return compiler_id_;
  }
  auto known = greeting();
  if (!known) return fault_of(known);
  return known->compiler_id;
}

RunnerResult<Unit> UnitCompiler::compile(const KernelSource& kernel,
                                         const ProblemSignature& signature,
                                         const CompileUnit& unit,
                                         const std::function<bool()>& stop) {
  auto compiler_id = known_compiler_id();
  if (!compiler_id) return fault_of(compiler_id);
  const std::string key =
      hash_hex(unit_identity(kernel, signature, unit) + *compiler_id);
  {
    std::unique_lock lock(mutex_);
    while (compiling_.contains(key)) {
      finished_.wait_for(lock, std::chrono::milliseconds(20));
      if (stop()) return fault(Kind::cancelled, "cancelled");
    }
    compiling_.insert(key);
  }
  RunnerResult<Unit> result = fault(Kind::unavailable, "not compiled");
  // Diagnostics name lines, which are not part of the identity: a failure is
  // remembered for this very text.
  const std::string failure_key = hash_hex(key + kernel.hash());
  std::optional<protocol::Compiled> found;
  if (cache_) found = cache_->find(key);
  if (cache_ && !found) found = cache_->find(failure_key);
  if (found) {
    result = make_unit(std::move(*found), /*was_cached=*/true);
  } else {
    result = compile_in_runner(kernel, signature, unit, stop);
    if (result && cache_) {
      const protocol::Compiled& compiled = (*result)->compiled;
      const bool ok = compiled.status == protocol::Compiled::Status::ok;
      cache_->insert(ok ? key : failure_key, compiled);
    }
  }
  {
    const std::lock_guard lock(mutex_);
    compiling_.erase(key);
  }
  finished_.notify_all();
  return result;
}

RunnerResult<Unit> UnitCompiler::compile_in_runner(
    const KernelSource& kernel, const ProblemSignature& signature,
    const CompileUnit& unit, const std::function<bool()>& stop) {
  protocol::Compile request;
  request.kernel_text = kernel.text();
  request.dialect = kernel.dialect();
  request.path = kernel.path();
  request.signature = signature;
  request.unit = unit;
  std::optional<DeviceLock::Claim> share;
  if (!beside_timing_) {
    share = lock_.share(stop);
    if (!share) return fault(Kind::cancelled, "cancelled");
  }
  auto runner = take_runner();
  if (!runner) return fault_of(runner);
  const auto compiled = [&] {
    std::optional<YieldingShare> yielding;
    if (share) {
      yielding.emplace(lock_, std::move(*share), (*runner)->pid(), stop);
    }
    return (*runner)->call(request, options_.timeout_ms);
  }();
  give_back(std::move(*runner));
  if (!compiled) return fault_of(compiled);
  return make_unit(*compiled, /*was_cached=*/false);
}

}  // namespace evoke::judge
