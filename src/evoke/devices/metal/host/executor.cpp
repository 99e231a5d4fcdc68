#include "evoke/devices/metal/host/executor.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include "evoke/base/error.h"

namespace evoke::metal::host {
namespace {

thread_local Executor* running_executor = nullptr;

// Threadgroup variables lie apart, so that running over one of them is seen.
constexpr std::size_t kVariableGap = 256;
constexpr std::size_t kArenaBytes = 256 * 1024;
constexpr std::size_t kAlternateStackBytes = 64 * 1024;
constexpr std::size_t kMaxNotes = 8;

const void* code_address(const void* context) {
#if defined(__linux__) && defined(__x86_64__)
  const auto* const registers = static_cast<const ucontext_t*>(context);
  return reinterpret_cast<const void*>(registers->uc_mcontext.gregs[REG_RIP] +
                                       1);
#elif defined(__linux__) && defined(__aarch64__)
  const auto* const registers = static_cast<const ucontext_t*>(context);
  return reinterpret_cast<const void*>(registers->uc_mcontext.pc + 1);
#else
  (void)context;
  return nullptr;
#endif
}

struct sigaction previous_segv;
struct sigaction previous_bus;

void on_fault(int signal, siginfo_t* info, void* context) {
  if (Executor* const executor = Executor::running()) {
    executor->memory_fault(reinterpret_cast<uintptr_t>(info->si_addr),
                           code_address(context));
  }
  // Not a kernel's: as if we had never been here.
  ::sigaction(signal, signal == SIGBUS ? &previous_bus : &previous_segv,
              nullptr);
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    ::sigaction(SIGSEGV, &action, &previous_segv);
    ::sigaction(SIGBUS, &action, &previous_bus);
  });
}

// The handler may have to run when a stack has overflowed.
struct AlternateStack {
  AlternateStack() {
    stack_t stack{};
    stack.ss_sp = memory.data();
    stack.ss_size = memory.size();
    ::sigaltstack(&stack, &previous);
  }
  ~AlternateStack() { ::sigaltstack(&previous, nullptr); }
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;
  std::vector<char> memory = std::vector<char>(kAlternateStackBytes);
  stack_t previous{};
};

}  // namespace

Executor* Executor::running() { return running_executor; }

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
  simdgroups_.resize(kMaxThreads / kSimdWidth);
  install_handler();
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
    lanes_[i].context = nullptr;
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
    simdgroup.epochs = {};
  }
  std::memset(memory_, 0xff, memory_used_);
  variables_.clear();
  memory_used_ = kVariableGap;
  memory_declared_ = 0;
  returned_ = 0;
  epochs_ = {};
  stopped_ = false;
}

void Executor::run(const GridLaunch& launch, uint64_t index, bool checked) {
  thread_local const AlternateStack alternate;
  set_up(launch, index);
  checked_ = checked;
  code_ = checked ? launch.checked_code : launch.code;
  if (checked) {
    if (!checker_) {
      checker_ = std::make_unique<Checker>(stacks_, memory_, kArenaBytes);
      checker_->allow(lanes_.data(), lanes_.size() * sizeof(Lane));
      checker_->allow(simdgroups_.data(),
                      simdgroups_.size() * sizeof(Simdgroup));
    }
    checker_->begin_threadgroup(launch.map, code_, launch.number,
                                static_cast<uint32_t>(index));
  }
  running_executor = this;
  if (sigsetjmp(fault_return_, 1) == 0) {
    current_ = 0;
    lanes_[0].context = make_context(stacks_.stack(0), stacks_.stack_bytes(),
                                     enter, lanes_.data());
    evoke_metal_switch(&main_, lanes_[0].context);
  }
  running_executor = nullptr;
  if (stopped_ && checker_) checker_->forget_stacks();
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

void Executor::finish_lane() {
  Simdgroup& group = simdgroups_[current_ / kSimdWidth];
  const uint32_t bit = uint32_t{1} << current_ % kSimdWidth;
  group.live &= ~bit;
  group.runnable &= ~bit;
  ++returned_;
  if (group.waiting != 0 && group.waiting == group.live && group.same_place) {
    complete(group);
  }
  if (returned_ == num_lanes_) {
    report_pending();
    Context ended = nullptr;
    evoke_metal_switch(&ended, main_);
  }
  switch_to(next_lane());
  __builtin_unreachable();
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
  if (!checked_) return;
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

std::string Executor::describe(std::size_t lane) const {
  return fmt::format("thread {} (lane {} of simdgroup {})", lane,
                     lane % kSimdWidth, lane / kSimdWidth);
}

const EvokeMetalThread* Executor::thread() const {
  return &lanes_[current_].thread;
}

// The lane that runs next; when none can, what they wait for is resolved.
std::size_t Executor::next_lane() {
  for (;;) {
    const std::size_t own = current_ / kSimdWidth;
    for (std::size_t i = 0; i < num_simdgroups_; ++i) {
      const std::size_t g = (own + i) % num_simdgroups_;
      Simdgroup& group = simdgroups_[g];
      if (group.runnable == 0 && group.waiting != 0) resolve_divergence(g);
      if (group.runnable == 0) continue;
      // Round robin: from the lane after the current one.
      const unsigned after =
          g == own ? static_cast<unsigned>(current_ % kSimdWidth) + 1 : 0;
      const uint32_t later =
          after >= kSimdWidth ? 0 : group.runnable & (UINT32_MAX << after);
      const uint32_t from = later != 0 ? later : group.runnable;
      return g * kSimdWidth + static_cast<std::size_t>(std::countr_zero(from));
    }
    if (!resolve_barrier()) return num_lanes_;
  }
}

void Executor::switch_to(std::size_t to) {
  const std::size_t from = current_;
  if (to == from) return;
  current_ = to;
  Lane& next = lanes_[to];
  if (next.context == nullptr) {
    next.context =
        make_context(stacks_.stack(to), stacks_.stack_bytes(), enter, &next);
  }
  evoke_metal_switch(&lanes_[from].context, next.context);
}

void Executor::go_on(Simdgroup& group, uint32_t lanes) {
  group.lanes[group.turn].active = lanes;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    group.answer[static_cast<std::size_t>(std::countr_zero(rest))] =
        static_cast<uint8_t>(group.turn);
  }
  group.turn = (group.turn + 1) % static_cast<uint32_t>(group.lanes.size());
  group.waiting &= ~lanes;
  group.runnable |= lanes;
}

void Executor::complete(Simdgroup& group) {
  const auto first = static_cast<std::size_t>(std::countr_zero(group.waiting));
  const auto base = static_cast<std::size_t>(&group - simdgroups_.data());
  const Place place = lanes_[base * kSimdWidth + first].place;
  if (place.operation == kEvokeMetalSimdgroupBarrier) {
    ++group.epochs.barriers;
    if (group.flags & 1) ++group.epochs.device_fences;
    if (group.flags & 2) ++group.epochs.threadgroup_fences;
  }
  go_on(group, group.waiting);
  group.same_place = true;
}

// Lanes of one simdgroup wait at different places: the earliest one goes on.
void Executor::resolve_divergence(std::size_t g) {
  Simdgroup& group = simdgroups_[g];
  const std::size_t base = g * kSimdWidth;
  Place earliest{INT32_MAX, 0, 0};
  for (uint32_t rest = group.waiting; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<std::size_t>(std::countr_zero(rest));
    earliest = std::min(earliest, lanes_[base + lane].place);
  }
  uint32_t chosen = 0;
  for (uint32_t rest = group.waiting; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<std::size_t>(std::countr_zero(rest));
    if (lanes_[base + lane].place == earliest) chosen |= uint32_t{1} << lane;
  }
  if (chosen == group.live) {
    complete(group);
    return;
  }
  const uint32_t others = group.live & ~chosen;
  const auto other = static_cast<std::size_t>(std::countr_zero(others));
  const std::string where =
      (group.parked >> other & 1) != 0
          ? fmt::format("waits at the barrier of line {}",
                        lanes_[base + other].place.line)
          : fmt::format("waits at line {}", lanes_[base + other].place.line);
  const std::string text = fmt::format(
      "{} of {} lanes of simdgroup {} come here; {} {}", std::popcount(chosen),
      std::popcount(group.live), g, describe(base + other), where);
  if (earliest.operation == kEvokeMetalSimdgroupBarrier) {
    fail(FindingKind::divergent_barrier, earliest.line, text);
  }
  note(FindingKind::divergent_simdgroup, earliest.line, text);
  // Values of those that stay behind move on to the next turn.
  const uint32_t turn = group.turn;
  group.flags = 0;
  go_on(group, chosen);
  for (uint32_t rest = group.waiting; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<std::size_t>(std::countr_zero(rest));
    std::memcpy(group.lanes[group.turn].values[lane],
                group.lanes[turn].values[lane], 16);
  }
  group.same_place = false;
}

// All threads wait at threadgroup barriers, or have returned.
bool Executor::resolve_barrier() {
  if (returned_ == num_lanes_) return false;
  std::size_t first = num_lanes_;
  for (std::size_t g = 0; g < num_simdgroups_; ++g) {
    Simdgroup& group = simdgroups_[g];
    for (uint32_t rest = group.parked; rest != 0; rest &= rest - 1) {
      const std::size_t lane =
          g * kSimdWidth + static_cast<std::size_t>(std::countr_zero(rest));
      if (first == num_lanes_) {
        first = lane;
      } else if (lanes_[lane].place != lanes_[first].place) {
        fail(FindingKind::divergent_barrier, lanes_[first].place.line,
             fmt::format("{} waits at the threadgroup_barrier of line {} while "
                         "{} waits at that of line {}",
                         describe(first), lanes_[first].place.line,
                         describe(lane), lanes_[lane].place.line));
      }
    }
  }
  if (returned_ > 0) {
    fail(FindingKind::divergent_barrier, lanes_[first].place.line,
         fmt::format("{} waits at a threadgroup_barrier that {} of {} threads "
                     "never reach: they have returned",
                     describe(first), returned_, num_lanes_));
  }
  report_pending();
  ++epochs_.barriers;
  if (barrier_flags_ & 1) ++epochs_.device_fences;
  if (barrier_flags_ & 2) ++epochs_.threadgroup_fences;
  for (std::size_t g = 0; g < num_simdgroups_; ++g) {
    Simdgroup& group = simdgroups_[g];
    group.runnable = group.parked;
    group.parked = 0;
  }
  return true;
}

const EvokeMetalLanes* Executor::exchange(const void* value, uint32_t bytes,
                                          int32_t operation, int32_t line,
                                          int32_t column) {
  const std::size_t lane = current_ % kSimdWidth;
  Simdgroup& group = simdgroups_[current_ / kSimdWidth];
  const uint32_t bit = uint32_t{1} << lane;
  const Place place{line, column, operation};
  lanes_[current_].place = place;
  if (value != nullptr) {
    std::memcpy(group.lanes[group.turn].values[lane], value, bytes);
  }
  if (group.waiting == 0) {
    group.same_place = true;
  } else if (group.same_place) {
    const auto first =
        static_cast<std::size_t>(std::countr_zero(group.waiting));
    group.same_place =
        lanes_[current_ / kSimdWidth * kSimdWidth + first].place == place;
  }
  group.waiting |= bit;
  group.runnable &= ~bit;
  if (group.waiting == group.live && group.same_place) {
    complete(group);
  } else {
    switch_to(next_lane());
  }
  EvokeMetalLanes& answer = group.lanes[group.answer[lane]];
  answer.lane = static_cast<uint32_t>(lane);
  return &answer;
}

void Executor::barrier(int32_t operation, uint32_t flags, int32_t line,
                       int32_t column) {
  Simdgroup& group = simdgroups_[current_ / kSimdWidth];
  if (operation == kEvokeMetalSimdgroupBarrier) {
    group.flags = flags;
    exchange(nullptr, 0, operation, line, column);
    return;
  }
  const uint32_t bit = uint32_t{1} << current_ % kSimdWidth;
  lanes_[current_].place = {line, column, operation};
  barrier_flags_ = flags;
  group.runnable &= ~bit;
  group.parked |= bit;
  switch_to(next_lane());
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
  // The gap behind it is part of what the next threadgroup finds poisoned.
  memory_used_ = offset + variable.bytes + kVariableGap;
  std::memset(memory_ + offset, 0xff, variable.bytes + kVariableGap);
  variables_.push_back({&variable, offset});
  if (checked_) checker_->add_variable(variable, offset);
  return memory_ + offset;
}

void Executor::lane_fault(int32_t fault, int32_t value, int32_t line) {
  if (fault == kEvokeMetalLaneRange) {
    fail(FindingKind::lane_range, line,
         fmt::format("{} asks for the value of lane {}; a simdgroup has lanes "
                     "0 to 31",
                     describe(current_), value));
  }
  fail(FindingKind::inactive_lane, line,
       fmt::format("{} needs lane {}, which does not take part here (it is "
                   "elsewhere, has returned or does not exist)",
                   describe(current_), value));
}

Accessor Executor::accessor() const {
  const Simdgroup& group = simdgroups_[current_ / kSimdWidth];
  Accessor who;
  who.thread = static_cast<uint16_t>(current_);
  who.simdgroup = static_cast<uint16_t>(current_ / kSimdWidth);
  who.lane = static_cast<uint16_t>(current_ % kSimdWidth);
  who.group = epochs_;
  who.simd = group.epochs;
  return who;
}

void Executor::access(uintptr_t address, std::size_t bytes,
                      Checker::Access kind, const void* code) {
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

void Executor::set_frame(uintptr_t shadow, std::size_t count, uint8_t value) {
  checker_->set_frame(shadow, count, value);
}

void Executor::memory_fault(uintptr_t address, const void* code) {
  const int line =
      code_ == nullptr ? 0 : code_->line_of(code_->offset_of(code));
  Finding finding{FindingKind::out_of_bounds_device,
                  static_cast<int64_t>(index_),
                  line,
                  {}};
  if (stacks_.is_guard(address)) {
    finding.kind = FindingKind::stack_overflow;
    finding.message =
        fmt::format("{} needs more than {} KiB of private memory",
                    describe(current_), stacks_.stack_bytes() / 1024);
  } else if (const Region* region = launch_->map->nearest(address)) {
    finding.message = fmt::format(
        "{} touches memory that nobody may touch: {} of '{}', the buffer "
        "closest to the address",
        describe(current_), region->place(address), region->name);
  } else {
    finding.message =
        describe(current_) + " touches memory that nobody may touch";
  }
  findings_.push_back(std::move(finding));
  failed_ = true;
  stopped_ = true;
  siglongjmp(fault_return_, 1);
}

}  // namespace evoke::metal::host
