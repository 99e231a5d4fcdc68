#include "evoke/evaluation/judge/workbench.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

namespace evoke::judge {
namespace {

namespace fs = std::filesystem;

// One process for all would be ended by its limits.
constexpr int kMostCandidates = 64;
// Of spares, where gates keep theirs: enough for two pairs of a confirmation.
constexpr int kFewSpares = 4;

Result<std::string> make_private_folder() {
  std::error_code error;
  std::string name =
      (fs::temp_directory_path(error) / "evoke-compile-XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    return failed("cannot make a folder for the compiler in " + name + ": " +
                  std::strerror(errno));
  }
  return name;
}

}  // namespace

Workbench::Workbench(const Problem& problem, WorkbenchOptions options)
    : problem_(problem), options_(std::move(options)) {}

Workbench::~Workbench() {
  cancel();
  gate_runners_.clear();
  compiler_.reset();
  pool_.reset();
  std::error_code ignored;
  if (!private_folder_.empty()) fs::remove_all(private_folder_, ignored);
}

Result<std::unique_ptr<Workbench>> Workbench::open(
    const Problem& problem, const WorkbenchOptions& options) {
  std::unique_ptr<Workbench> bench(new Workbench(problem, options));
  auto dialect = dialect_of_device(options.device);
  if (!dialect) return error_of(dialect);
  bench->dialect_ = *dialect;
  const std::string locks =
      options.lock_folder.empty() ? runtime_folder() : options.lock_folder;
  auto lock = DeviceLock::open(locks, options.device);
  if (!lock) return error_of(lock);
  bench->lock_.emplace(std::move(*lock));
  if (options.use_compile_cache) {
    auto cache = CompileCache::open(options.compile_cache);
    if (!cache) return error_of(cache);
    bench->cache_.emplace(std::move(*cache));
  }
  auto folder = make_private_folder();
  if (!folder) return error_of(folder);
  bench->private_folder_ = *folder;

  RunnerPoolOptions pool;
  pool.program = options.runner_path;
  pool.limits = options.runner_limits;
  pool.shared_memory = options.shared_memory;
  pool.device_lock = &*bench->lock_;
  bench->pool_ = std::make_unique<RunnerPool>(pool);
  UnitCompilerOptions compiler;
  compiler.spec.role = protocol::Role::compile;
  compiler.spec.device = options.device;
  compiler.spec.num_threads = options.device_threads;
  compiler.spec.private_folder = bench->private_folder_;
  compiler.spec.cpu_seconds = 120;
  bench->compiler_ = std::make_unique<UnitCompiler>(
      *bench->pool_, *bench->lock_, bench->compile_cache(), compiler);
  bench->cases_ = options.shared_cases
                      ? options.shared_cases
                      : std::make_shared<CasePool>(problem, options.cases);

  auto greeting = bench->compiler_->greeting();
  if (!greeting) return failed(greeting.error().message);
  bench->greeting_ = std::move(*greeting);
  bench->memory_.emplace(bench->greeting_.own_memory
                             ? bench->greeting_.memory_bytes / kDeviceShares
                             : 0);
  // "cuda" and "cuda:0" may be one: from here on by what it calls itself.
  if (const std::string& id = bench->greeting_.device_id; !id.empty()) {
    lock = DeviceLock::open(locks, id);
    if (!lock) return error_of(lock);
    *bench->lock_ = std::move(*lock);
  }
  if (options.spare_runners > 0) {
    bench->pool_->keep_spares(
        bench->execute_spec(options.candidate_cpu_seconds),
        options.spare_runners);
  }
  return bench;
}

RunnerSpec Workbench::execute_spec(int64_t cpu_seconds) const {
  RunnerSpec spec;
  spec.role = protocol::Role::execute;
  spec.device = options_.device;
  spec.num_threads = options_.device_threads;
  spec.cpu_seconds = cpu_seconds;
  return spec;
}

RunnerResult<std::shared_ptr<Runner>> Workbench::candidate_runner() {
  return pool_->take(execute_spec(options_.candidate_cpu_seconds));
}

std::optional<DeviceLock::Claim> Workbench::share_processor() const {
  if (greeting_.own_clock) return DeviceLock::Claim();
  return lock_->share(stop());
}

std::unique_ptr<Runner::SharedCalls> Workbench::shared_calls(
    Runner& runner) const {
  if (!greeting_.own_clock) return nullptr;
  return std::make_unique<Runner::SharedCalls>(runner, *lock_, stop());
}

RunnerResult<GateRunner> Workbench::gate_runner() {
  {
    const std::lock_guard lock(gate_runners_mutex_);
    while (!gate_runners_.empty()) {
      GateRunner used = std::move(gate_runners_.back());
      gate_runners_.pop_back();
      if (used.runner->usable()) return used;
    }
  }
  auto fresh = candidate_runner();
  if (!fresh) return fault_of(fresh);
  if (gates_share_runners()) {
    // It lasts: nobody will want the next one in its place.
    pool_->keep_one_less(execute_spec(options_.candidate_cpu_seconds),
                         kFewSpares);
  }
  return GateRunner{std::move(*fresh)};
}

bool Workbench::gates_share_runners() const {
  return options_.gates_share_runners.value_or(greeting_.own_memory);
}

void Workbench::give_back(GateRunner gate_runner) {
  if (!gates_share_runners()) return;
  if (++gate_runner.candidates >= kMostCandidates) return;
  const std::lock_guard lock(gate_runners_mutex_);
  gate_runners_.push_back(std::move(gate_runner));
}

RunnerResult<std::shared_ptr<Runner>> Workbench::lasting_runner(
    Starting starting) {
  return pool_->take(execute_spec(0), starting);
}

RunnerResult<std::shared_ptr<Runner>> Workbench::watched_runner(
    const ValidationTool& tool) {
  RunnerSpec spec = execute_spec(0);
  spec.tool = tool;
  return pool_->take(spec);
}

RunnerResult<std::shared_ptr<Runner>> Workbench::baseline_runner(
    const std::string& name) {
  RunnerSpec spec = execute_spec(0);
  spec.role = protocol::Role::baseline;
  spec.baseline = name;
  // Libraries of others know no number that evoke gives: they take the first
  // GPU that they see, and one named is not always that.
  if (options_.device.find(':') != std::string::npos &&
      !greeting_.device_id.empty()) {
    spec.device = greeting_.device_kind + ":" + greeting_.device_id;
  }
  return pool_->take(spec);
}

Result<KernelBuild> Workbench::plan(const std::string& text,
                                    const std::string& path,
                                    const std::vector<Shape>& shapes) const {
  return KernelBuild::plan(text, dialect_, path, problem_.signature(), limits(),
                           shapes);
}

RunnerResult<std::optional<Workbench::Refusal>> Workbench::compile(
    KernelBuild& build, const std::vector<Shape>& shapes) {
  using Status = protocol::Compiled::Status;
  std::set<CompileUnit> units;
  for (const Shape& shape : shapes) {
    auto plan = build.plan_for(shape);
    if (!plan) {
      return Refusal{OutcomeKind::rejected_plan,
                     shape.name + ": " + plan.error().message};
    }
    units.insert(unit_of(*plan));
  }
  for (const CompileUnit& unit : units) {
    auto compiled = build.unit(*compiler_, unit, stop());
    if (!compiled) return fault_of(compiled);
    const protocol::Compiled& answer = (*compiled)->compiled;
    switch (answer.status) {
      case Status::ok:
        break;
      case Status::rejected:
        return Refusal{OutcomeKind::rejected_plan, answer.diagnostics};
      case Status::failed:
        return Refusal{OutcomeKind::compile_failed, answer.diagnostics};
      case Status::timed_out:
        return Refusal{OutcomeKind::timed_out,
                       "compiling took too long: " + answer.diagnostics};
      case Status::unavailable:
        return fault(RunnerFault::Kind::unavailable, answer.diagnostics);
    }
  }
  return std::optional<Refusal>();
}

void Workbench::cancel() {
  stopping_ = true;
  if (pool_) pool_->cancel();
}

void Workbench::resume() {
  pool_->resume();
  stopping_ = false;
}

}  // namespace evoke::judge
