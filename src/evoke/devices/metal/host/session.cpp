#include "evoke/devices/metal/host/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "evoke/devices/metal/host/executor.h"
#include "evoke/devices/metal/host/kernel_object.h"
#include "evoke/devices/metal/host/memory_map.h"

namespace evoke::metal::host {
namespace {

constexpr std::size_t kMostTold = 8;  // of a run's findings

// The executor of the calling thread. Made once: its stacks are large.
Executor& executor() {
  thread_local const std::unique_ptr<Executor> own =
      std::make_unique<Executor>();
  return *own;
}

uint64_t count_of(const GridLaunch& grid) {
  return std::accumulate(grid.threadgroups.begin(), grid.threadgroups.end(),
                         uint64_t{1}, std::multiplies<>());
}

}  // namespace

struct HostSession::Program {
  Artifact artifact;
  std::unique_ptr<KernelObject> object;
  std::unique_ptr<KernelObject> checked;
  std::vector<LaunchPlan> watched;  // shapes that were watched already
};

// One call with everything its launches point to.
struct HostSession::Call {
  struct Layout {
    std::vector<int32_t> shape;
    std::vector<int64_t> strides;
    int32_t ndim = 0;
  };
  struct ZeroFill {
    std::byte* data = nullptr;
    std::size_t bytes = 0;
  };
  ProgramId program = 0;
  LaunchPlan plan;
  std::vector<BoundTensor> tensors;
  std::vector<std::string> names;
  std::vector<Layout> layouts;
  std::map<std::string, int32_t> sizes;
  std::map<std::string, float> scalars;
  std::vector<ZeroFill> fills;
  std::vector<std::vector<void*>> arguments;  // of each launch
  std::vector<GridLaunch> grids;
  MemoryMap map;
  bool all_watched = true;  // in the run that is going on

  // From now on nobody knows what was never written.
  void watch_in_part() {
    all_watched = false;
    for (Region& region : map.regions()) region.zeroed = true;
  }
};

// What the pool's threads share while one launch runs.
struct HostSession::Work {
  const GridLaunch* grid = nullptr;
  uint64_t stride = 0;  // every stride-th threadgroup is watched; 0: none
  uint64_t last = 0;
  int64_t most_accesses = 0;  // to watch in one threadgroup
  std::atomic<bool> failed{false};
  std::atomic<bool> all_watched{true};
  std::atomic<int64_t> watched{0};
  std::mutex mutex;
  std::vector<Finding> findings;
  std::vector<Finding> pending;  // of use when nothing else was found

  bool is_watched(uint64_t index) const {
    return stride != 0 && index % stride == 0;
  }
  // Gives how many accesses were watched.
  int64_t run(uint64_t index, bool watch) {
    if (failed) return 0;
    Executor& own = executor();
    own.run(*grid, index, watch ? most_accesses : 0);
    if (watch) ++watched;
    if (!own.watched_all()) all_watched = false;
    const int64_t accesses = own.accesses();
    const bool wrong = own.failed();
    auto found = own.take_findings();
    auto later = watch ? own.take_pending() : std::vector<Finding>();
    if (found.empty() && later.empty()) return accesses;
    const std::lock_guard lock(mutex);
    pending.insert(pending.end(), std::make_move_iterator(later.begin()),
                   std::make_move_iterator(later.end()));
    findings.insert(findings.end(), std::make_move_iterator(found.begin()),
                    std::make_move_iterator(found.end()));
    failed = failed || wrong;
    return accesses;
  }
};

std::string to_text(const Finding& finding) {
  return fmt::format("{}{}: {}, threadgroup {}", to_string(finding.kind),
                     finding.line > 0 ? fmt::format(" at line {}", finding.line)
                                      : std::string(),
                     finding.message, finding.threadgroup);
}

HostSession::HostSession(const SessionOptions& options)
    : options_(options), pool_({options.num_threads, 4096}) {}

HostSession::~HostSession() = default;

Result<ProgramId> HostSession::load(std::span<const std::byte> artifact) {
  auto parsed = artifact_from_bytes(artifact);
  if (!parsed) return error_of(parsed);
  auto program = std::make_unique<Program>();
  program->artifact = std::move(*parsed);
  auto object =
      KernelObject::load(program->artifact.object, program->artifact.lines);
  if (!object) return error_of(object);
  auto checked = KernelObject::load(program->artifact.checked_object,
                                    program->artifact.checked_lines);
  if (!checked) return error_of(checked);
  program->object = std::move(*object);
  program->checked = std::move(*checked);
  const ProgramId id = next_program_++;
  programs_[id] = std::move(program);
  return id;
}

void HostSession::unload(ProgramId program) { programs_.erase(program); }

Result<CallId> HostSession::prepare(ProgramId program, const LaunchPlan& plan,
                                    std::vector<BoundTensor> tensors) {
  const auto found = programs_.find(program);
  if (found == programs_.end()) {
    return absent(fmt::format("no program {} is loaded", program));
  }
  if (tensors.size() < plan.scratch.size()) {
    return failed("fewer tensors than the plan has scratch");
  }
  auto call = std::make_unique<Call>();
  call->program = program;
  call->plan = plan;
  call->tensors = std::move(tensors);
  for (const auto& [name, value] : plan.sizes) {
    call->sizes[name] = static_cast<int32_t>(value);
  }
  call->scalars = plan.scalars;
  if (const auto bound = bind(*call, *found->second, plan); !bound) {
    return error_of(bound);
  }
  const CallId id = next_call_++;
  calls_[id] = std::move(call);
  return id;
}

Result<void> HostSession::bind(Call& call, const Program& program,
                               const LaunchPlan& plan) {
  const std::size_t num_problem = call.tensors.size() - plan.scratch.size();
  std::vector<bool> written(call.tensors.size(), false);
  for (const ResolvedLaunch& launch : plan.launches) {
    for (const TensorRef& reference : launch.writes) {
      const std::size_t index =
          reference.index + (reference.scratch ? num_problem : 0);
      if (index >= call.tensors.size()) {
        return failed(fmt::format("kernel '{}' names tensor {} of {}",
                                  launch.kernel, index, call.tensors.size()));
      }
      written[index] = true;
    }
  }
  call.layouts.resize(call.tensors.size());
  for (std::size_t i = 0; i < call.tensors.size(); ++i) {
    const BoundTensor& tensor = call.tensors[i];
    const bool scratch = i >= num_problem;
    const bool zeroed =
        scratch && plan.scratch[i - num_problem].init == ScratchInit::zero;
    Call::Layout& layout = call.layouts[i];
    layout.shape.assign(tensor.layout.shape.begin(), tensor.layout.shape.end());
    layout.strides = tensor.layout.strides;
    layout.ndim = static_cast<int32_t>(layout.shape.size());
    call.names.push_back(tensor.layout.name);
    call.map.add_tensor(scratch      ? Region::Kind::scratch
                        : written[i] ? Region::Kind::output
                                     : Region::Kind::input,
                        tensor.data, tensor.layout, zeroed);
    call.map.add_argument(tensor.layout.name + "_shape", layout.shape.data(),
                          layout.shape.size() * sizeof(int32_t));
    call.map.add_argument(tensor.layout.name + "_strides",
                          layout.strides.data(),
                          layout.strides.size() * sizeof(int64_t));
    call.map.add_argument(tensor.layout.name + "_ndim", &layout.ndim,
                          sizeof(int32_t));
    if (zeroed) {
      call.fills.push_back(
          {tensor.data,
           static_cast<std::size_t>(plan.scratch[i - num_problem].bytes)});
    }
  }
  for (auto& [name, value] : call.sizes) {
    call.map.add_argument(name, &value, sizeof(value));
  }
  for (auto& [name, value] : call.scalars) {
    call.map.add_argument(name, &value, sizeof(value));
  }
  call.map.seal();
  for (const ResolvedLaunch& launch : plan.launches) {
    const ArtifactKernel* const kernel = program.artifact.find(launch.kernel);
    if (kernel == nullptr) {
      return failed(
          fmt::format("the program has no kernel '{}'; was it "
                      "compiled for this variant?",
                      launch.kernel));
    }
    std::vector<void*> arguments;
    for (const Argument& argument : kernel->arguments) {
      void* address = nullptr;
      const auto at =
          std::find(call.names.begin(), call.names.end(), argument.name);
      const auto index = static_cast<std::size_t>(at - call.names.begin());
      if (argument.kind == Argument::Kind::size) {
        const auto size = call.sizes.find(argument.name);
        if (size != call.sizes.end()) address = &size->second;
      } else if (argument.kind == Argument::Kind::scalar) {
        const auto scalar = call.scalars.find(argument.name);
        if (scalar != call.scalars.end()) address = &scalar->second;
      } else if (at != call.names.end()) {
        Call::Layout& layout = call.layouts[index];
        address = argument.kind == Argument::Kind::tensor
                      ? static_cast<void*>(call.tensors[index].data)
                  : argument.kind == Argument::Kind::shape
                      ? static_cast<void*>(layout.shape.data())
                  : argument.kind == Argument::Kind::strides
                      ? static_cast<void*>(layout.strides.data())
                      : static_cast<void*>(&layout.ndim);
      }
      if (address == nullptr) {
        return failed(
            fmt::format("kernel '{}' wants '{}', which the plan does "
                        "not have",
                        launch.kernel, argument.name));
      }
      arguments.push_back(address);
    }
    GridLaunch grid;
    grid.function = program.object->find(launch.kernel);
    grid.checked_function = program.checked->find(launch.kernel);
    grid.code = program.object.get();
    grid.checked_code = program.checked.get();
    grid.map = &call.map;
    for (std::size_t d = 0; d < 3; ++d) {
      grid.threadgroups[d] = static_cast<uint32_t>(launch.threadgroups[d]);
      grid.threads[d] = static_cast<uint32_t>(launch.threads[d]);
      grid.threads_in_grid[d] = grid.threadgroups[d] * grid.threads[d];
    }
    if (grid.function == nullptr || grid.checked_function == nullptr) {
      return failed(
          fmt::format("the objects have no kernel '{}'", launch.kernel));
    }
    call.grids.push_back(grid);
    call.arguments.push_back(std::move(arguments));
  }
  for (std::size_t i = 0; i < call.grids.size(); ++i) {
    call.grids[i].arguments = call.arguments[i].data();
  }
  return {};
}

void HostSession::release(CallId call) { calls_.erase(call); }

void HostSession::run_part(const void* context, uint64_t begin, uint64_t end,
                           std::byte* /*memory*/) {
  // The pool hands its context on as it came.
  auto& work = *static_cast<Work*>(const_cast<void*>(context));
  for (uint64_t index = begin; index < end; ++index) {
    // These two were run to learn what watching costs.
    if (work.stride != 0 && (index == 0 || index == work.last)) continue;
    work.run(index, work.is_watched(index));
  }
}

void HostSession::run_launch(Call& call, std::size_t index, bool watched) {
  GridLaunch& grid = call.grids[index];
  grid.number = next_launch_++;
  const uint64_t count = count_of(grid);
  Work work;
  work.grid = &grid;
  work.most_accesses = options_.watched_accesses;
  work.last = count - 1;
  if (watched) {
    int64_t cost = work.run(0, true);
    if (count > 1) cost = std::max(cost, work.run(work.last, true));
    const int64_t affordable =
        options_.watched_accesses / std::max<int64_t>(cost, 1);
    work.stride = affordable >= static_cast<int64_t>(count)
                      ? 1
                      : (count + static_cast<uint64_t>(affordable)) /
                            (static_cast<uint64_t>(affordable) + 1);
    // What unwatched threadgroups write is not seen.
    if (work.stride > 1) call.watch_in_part();
  }
  if (!work.failed) {
    const cpu::PoolTask task{run_part, &work, count};
    pool_.run({&task, 1}, 0);
  }
  if (watched && !work.all_watched) call.watch_in_part();
  gather(work);
  all_ += static_cast<int64_t>(count);
}

void HostSession::gather(Work& work) {
  watched_ += work.watched;
  if (!work.failed) {
    work.findings.insert(work.findings.end(), work.pending.begin(),
                         work.pending.end());
  }
  findings_.insert(findings_.end(),
                   std::make_move_iterator(work.findings.begin()),
                   std::make_move_iterator(work.findings.end()));
  // Errors first, then by place, whichever thread came first.
  std::stable_sort(findings_.begin(), findings_.end(),
                   [](const Finding& a, const Finding& b) {
                     return std::tuple(is_note(a.kind), a.threadgroup, a.line) <
                            std::tuple(is_note(b.kind), b.threadgroup, b.line);
                   });
  // A note once for its line: threadgroups do the same.
  std::set<std::pair<FindingKind, int>> noted;
  std::erase_if(findings_, [&](const Finding& each) {
    return is_note(each.kind) && !noted.insert({each.kind, each.line}).second;
  });
}

// Elements of outputs that no watched threadgroup wrote.
bool HostSession::find_unwritten(Call& call) {
  for (Region& region : call.map.regions()) {
    if (region.kind != Region::Kind::output) continue;
    const auto step = uintptr_t{1} << region.unit_shift;
    int64_t missing = 0;
    uintptr_t first = 0;
    for (uintptr_t at = region.begin; at < region.end; at += step) {
      if (region.valid_bytes(at) < step || region.cell(at)->written) continue;
      if (missing++ == 0) first = at;
    }
    if (missing == 0) continue;
    findings_.push_back(
        {FindingKind::unwritten_output, 0, 0,
         fmt::format("no thread writes {} of {} elements of '{}', {} the first",
                     missing, region.layout.num_elements(), region.name,
                     region.place(first))});
    return true;
  }
  return false;
}

void HostSession::run_call(Call& call) {
  for (const Call::ZeroFill& fill : call.fills) {
    std::memset(fill.data, 0, fill.bytes);
  }
  Program& program = *programs_.at(call.program);
  const bool watched = options_.watch &&
                       std::find(program.watched.begin(), program.watched.end(),
                                 call.plan) == program.watched.end();
  call.all_watched = watched;
  if (watched) call.map.forget_writes();
  const auto wrong = [&] {
    return !findings_.empty() && !is_note(findings_.front().kind);
  };
  for (std::size_t i = 0; i < call.grids.size() && !wrong(); ++i) {
    run_launch(call, i, watched);
  }
  if (!watched || wrong()) return;
  if (call.all_watched && find_unwritten(call)) return;
  program.watched.push_back(call.plan);
}

Result<void> HostSession::run(std::span<const CallId> calls) {
  findings_.clear();
  watched_ = 0;
  all_ = 0;
  for (const CallId id : calls) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
      return absent(fmt::format("no call {} is prepared", id));
    }
    if (!programs_.contains(found->second->program)) {
      return absent(fmt::format("the program of call {} is gone", id));
    }
    run_call(*found->second);
    if (!findings_.empty() && !is_note(findings_.front().kind)) break;
  }
  return {};
}

std::vector<DeviceFinding> HostSession::findings() const {
  std::vector<DeviceFinding> told;
  for (const Finding& each : findings_) {
    if (told.size() == kMostTold) break;
    told.push_back({std::string(to_string(each.kind)), !is_note(each.kind),
                    is_out_of_bounds(each.kind), to_text(each)});
  }
  return told;
}

}  // namespace evoke::metal::host
