#include "evoke/devices/metal/host/executor.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "evoke/base/error.h"
#include "evoke/devices/metal/host/fault_handler.h"

namespace evoke::metal::host {
namespace {

// Threadgroup variables lie apart, so that running over one of them is seen.
constexpr std::size_t kVariableGap = 256;
constexpr std::size_t kArenaBytes = 256 * 1024;
constexpr std::size_t kMaxNotes = 8;

}  // namespace

constinit thread_local Executor* Executor::running_ = nullptr;

Executor::Executor() {
  stacks_.reserve(kMaxThreads);
  void* const memory =
      ::mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw StartupError(
        "[Executor::Executor] no room for threadgroup memory. "
        "Is the address space limited?");
  }
  memory_ = static_cast<std::byte*>(memory);
  lanes_.resize(kMaxThreads);
  contexts_.resize(kMaxThreads);
  simdgroups_.resize(kMaxThreads / kSimdWidth);
  install_fault_handler(on_fault);
}

Executor::~Executor() { ::munmap(memory_, kArenaBytes); }

std::vector<Finding> Executor::take_pending() {
  return checker_ ? checker_->take_pending() : std::vector<Finding>();
}

std::vector<Finding> Executor::take_findings() {
  failed_ = false;
  return std::exchange(findings_, {});
}

void Executor::set_up(const GridLaunch& launch, uint64_t index) {
  launch_ = &launch;
  index_ = index;
  std::array<uint32_t, 3> group{};
  uint64_t rest = index;
  for (std::size_t d = 0; d < 3; ++d) {
    group[d] = static_cast<uint32_t>(rest % launch.threadgroups[d]);
    rest /= launch.threadgroups[d];
  }
  std::array<uint32_t, 3> threads{};
  for (std::size_t d = 0; d < 3; ++d) {
    threads[d] = std::min(launch.threads[d], launch.threads_in_grid[d] -
                                                 group[d] * launch.threads[d]);
  }
  num_lanes_ = std::size_t{threads[0]} * threads[1] * threads[2];
  num_simdgroups_ = (num_lanes_ + kSimdWidth - 1) / kSimdWidth;
  for (std::size_t i = 0; i < num_lanes_; ++i) {
    const auto number = static_cast<uint32_t>(i);
    const std::array<uint32_t, 3> position{number % threads[0],
                                           number / threads[0] % threads[1],
                                           number / threads[0] / threads[1]};
    EvokeMetalThread& thread = lanes_[i].thread;
    for (std::size_t d = 0; d < 3; ++d) {
      thread.thread_position_in_threadgroup[d] = position[d];
      thread.thread_position_in_grid[d] =
          group[d] * launch.threads[d] + position[d];
      thread.threadgroup_position_in_grid[d] = group[d];
      thread.threads_per_threadgroup[d] = threads[d];
      thread.dispatch_threads_per_threadgroup[d] = launch.threads[d];
      thread.threads_per_grid[d] = launch.threads_in_grid[d];
      thread.threadgroups_per_grid[d] = launch.threadgroups[d];
    }
    thread.thread_index_in_threadgroup = number;
    thread.thread_index_in_simdgroup = number % kSimdWidth;
    thread.simdgroup_index_in_threadgroup = number / kSimdWidth;
    thread.simdgroups_per_threadgroup = static_cast<uint32_t>(num_simdgroups_);
    contexts_[i] = nullptr;
    lanes_[i].executor = this;
  }
  for (std::size_t g = 0; g < num_simdgroups_; ++g) {
    Simdgroup& simdgroup = simdgroups_[g];
    const std::size_t count =
        std::min<std::size_t>(kSimdWidth, num_lanes_ - g * kSimdWidth);
    simdgroup.live =
        count == kSimdWidth ? UINT32_MAX : (uint32_t{1} << count) - 1;
    simdgroup.runnable = simdgroup.live;
    simdgroup.waiting = 0;
    simdgroup.parked = 0;
    simdgroup.same_place = true;
    simdgroup.turn = 0;
    simdgroup.meetings = {};
  }
  std::memset(memory_, 0xff, memory_used_);
  variables_.clear();
  memory_used_ = kVariableGap;
  memory_declared_ = 0;
  returned_ = 0;
  meetings_ = {};
  stopped_ = false;
}

void Executor::run(const GridLaunch& launch, uint64_t index,
                   int64_t watched_accesses) {
  thread_local const AlternateStack alternate;
  set_up(launch, index);
  checked_ = watched_accesses > 0;
  code_ = checked_ ? launch.checked_code : launch.code;
  if (checked_) {
    if (!checker_) {
      checker_ = std::make_unique<Checker>(stacks_, memory_, kArenaBytes);
    }
    checker_->begin_threadgroup(launch.map, code_, launch.number,
                                static_cast<uint32_t>(index), ++now_,
                                watched_accesses);
  }
  running_ = this;
  if (sigsetjmp(fault_return_, 0) == 0) {
    current_ = 0;
    contexts_[0] = make_context(stacks_.stack(0), stacks_.stack_bytes(), enter,
                                lanes_.data());
    evoke_metal_switch(&main_, contexts_[0]);
  }
  running_ = nullptr;
  if (checked_ && (stopped_ || checker_->is_spent())) checker_->forget_stacks();
}

void Executor::enter(void* argument) {
  auto* const lane = static_cast<Lane*>(argument);
  Executor* const self = lane->executor;
  const EvokeMetalFunction function = self->checked_
                                          ? self->launch_->checked_function
                                          : self->launch_->function;
  function(self->launch_->arguments, &lane->thread);
  self->finish_lane();
}

void Executor::stop() {
  stopped_ = true;
  Context abandoned = nullptr;
  evoke_metal_switch(&abandoned, main_);
  __builtin_unreachable();
}

void Executor::fail(FindingKind kind, int line, std::string message) {
  failed_ = true;
  findings_.push_back(
      {kind, static_cast<int64_t>(index_), line, std::move(message)});
  stop();
}

// Reads of what nobody had written, and nobody has by now.
void Executor::report_pending() {
  if (!watched_all()) return;
  if (const Finding* const found = checker_->pending()) {
    fail(found->kind, found->line, found->message);
  }
}

void Executor::note(FindingKind kind, int line, std::string message) {
  for (const Finding& each : findings_) {
    if (each.kind == kind && each.line == line) return;
  }
  if (findings_.size() >= kMaxNotes) return;
  findings_.push_back(
      {kind, static_cast<int64_t>(index_), line, std::move(message)});
}

void* Executor::threadgroup_memory(const EvokeMetalVariable& variable) {
  for (const Variable& each : variables_) {
    if (each.declared == &variable) return memory_ + each.offset;
  }
  memory_declared_ += variable.bytes;
  if (memory_declared_ > kThreadgroupMemoryBytes) {
    fail(FindingKind::threadgroup_memory_limit, variable.line,
         fmt::format("with '{}' the kernel needs {} bytes of threadgroup "
                     "memory; there are {}",
                     variable.name, memory_declared_, kThreadgroupMemoryBytes));
  }
  const std::size_t alignment = std::max<std::size_t>(variable.alignment, 16);
  const std::size_t offset =
      (memory_used_ + alignment - 1) / alignment * alignment;
  if (offset + variable.bytes + kVariableGap > kArenaBytes) {
    fail(FindingKind::threadgroup_memory_limit, variable.line,
         fmt::format("'{}' is one of {} threadgroup variables; there is room "
                     "for about {}",
                     variable.name, variables_.size() + 1,
                     kArenaBytes / (kVariableGap + 16)));
  }
  // The gap behind it is part of what the next threadgroup finds poisoned.
  memory_used_ = offset + variable.bytes + kVariableGap;
  std::memset(memory_ + offset, 0xff, variable.bytes + kVariableGap);
  variables_.push_back({&variable, offset});
  if (checked_) checker_->add_variable(variable, offset);
  return memory_ + offset;
}

Accessor Executor::accessor() const {
  const std::size_t group = current_ / kSimdWidth;
  Accessor who;
  who.thread = static_cast<uint16_t>(current_);
  who.simdgroup = static_cast<uint16_t>(group);
  who.lane = static_cast<uint16_t>(current_ % kSimdWidth);
  who.now = now_;
  who.group = &meetings_;
  who.simd = &simdgroups_[group].meetings;
  return who;
}

void Executor::access(uintptr_t address, std::size_t bytes, Access kind,
                      const void* code) {
  const Finding* const found =
      checker_->access(accessor(), address, bytes, kind, code);
  if (found != nullptr) {
    fail(found->kind, found->line, found->message);
  }
}

void Executor::copy(uintptr_t to, uintptr_t from, std::size_t bytes,
                    const void* code) {
  const Finding* const found =
      checker_->copy(accessor(), to, from, bytes, code);
  if (found != nullptr) {
    fail(found->kind, found->line, found->message);
  }
}

void Executor::on_fault(uintptr_t address, const void* code) {
  if (running_ != nullptr) running_->memory_fault(address, code);
}

void Executor::memory_fault(uintptr_t address, const void* code) {
  const int line = code_ == nullptr ? 0 : code_->line_at(code);
  Finding finding{FindingKind::out_of_bounds_device,
                  static_cast<int64_t>(index_),
                  line,
                  {}};
  if (stacks_.is_guard(address)) {
    finding.kind = FindingKind::stack_overflow;
    finding.message =
        fmt::format("{} needs more than {} KiB of private memory",
                    thread_name(current_), stacks_.stack_bytes() / 1024);
  } else if (const Region* region = launch_->map->nearest(address)) {
    finding.message = fmt::format(
        "{} touches memory that nobody may touch: {} of '{}', the buffer "
        "closest to the address",
        thread_name(current_), region->place(address), region->name);
  } else {
    finding.message =
        thread_name(current_) + " touches memory that nobody may touch";
  }
  findings_.push_back(std::move(finding));
  failed_ = true;
  stopped_ = true;
  siglongjmp(fault_return_, 1);
}

}  // namespace evoke::metal::host
