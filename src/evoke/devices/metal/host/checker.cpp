#include "evoke/devices/metal/host/checker.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "evoke/base/error.h"

namespace evoke::metal::host {
namespace {

// States of a byte of a stack.
enum : uint8_t {
  kPlain = 0,
  kUnwritten = 1,
  kLeft = 0xf1,
  kMiddle = 0xf2,
  kRight = 0xf3
};
constexpr uint64_t kFrameMagic = 0x41b58ab3;
constexpr std::size_t kGranule = 8;  // bytes per shadow byte of the compiler

// Cells of device memory are shared between the threads that run
// threadgroups.
class CellLock {
 public:
  explicit CellLock(const void* cell)
      : flag_(flags()[(reinterpret_cast<uintptr_t>(cell) >> 7) % kCount]) {
    while (flag_.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~CellLock() { flag_.clear(std::memory_order_release); }
  CellLock(const CellLock&) = delete;
  CellLock& operator=(const CellLock&) = delete;

 private:
  static constexpr std::size_t kCount = 256;
  static std::array<std::atomic_flag, kCount>& flags() {
    static std::array<std::atomic_flag, kCount> all{};
    return all;
  }
  std::atomic_flag& flag_;
};

std::string_view verb(Checker::Access kind) {
  switch (kind) {
    case Checker::Access::read:
      return "reads";
    case Checker::Access::write:
      return "writes";
    case Checker::Access::atomic:
      return "updates";
  }
  return "";
}

// A frame begins with the compiler's description of it: how many variables,
// and for each: offset, size, length of what follows, name:line.
struct FrameVariable {
  std::size_t begin = 0;
  std::size_t size = 0;
  std::string name;
};

std::vector<FrameVariable> frame_variables(const char* description) {
  std::vector<FrameVariable> variables;
  char* at = nullptr;
  for (int64_t count = std::strtoll(description, &at, 10); count > 0; --count) {
    FrameVariable variable;
    variable.begin = static_cast<std::size_t>(std::strtoll(at, &at, 10));
    variable.size = static_cast<std::size_t>(std::strtoll(at, &at, 10));
    const int64_t length = std::strtoll(at, &at, 10);
    if (*at != ' ' || length <= 0) break;
    variable.name.assign(at + 1, static_cast<std::size_t>(length));
    variable.name.resize(
        std::min(variable.name.find(':'), variable.name.size()));
    at += 1 + length;
    variables.push_back(std::move(variable));
  }
  return variables;
}

}  // namespace

// Who touched a unit of threadgroup memory, since the latest fence.
struct Checker::Cell {
  uint32_t generation = 0;  // of the threadgroup; older ones mean nothing
  bool written = false;
  bool write_atomic = false;
  bool read = false;
  uint16_t writer = 0;
  uint16_t writer_simdgroup = 0;
  uint16_t reader = 0;
  uint16_t reader_simdgroup = 0;
  Epochs write_group, write_simd;
  Epochs read_group, read_simd;
  uint32_t reader_simdgroups = 0;
  uint32_t reader_lanes = 0;
  uint32_t write_code = 0, read_code = 0;
};

Checker::Checker(const Stacks& stacks, std::byte* threadgroup_memory,
                 std::size_t threadgroup_bytes)
    : stacks_(stacks),
      memory_(threadgroup_memory),
      memory_bytes_(threadgroup_bytes),
      cells_(threadgroup_bytes) {
  void* const shadow =
      ::mmap(nullptr, stacks.bytes(), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (shadow == MAP_FAILED) {
    throw StartupError(
        "[Checker::Checker] no room for the state of stacks. "
        "Is the address space limited?");
  }
  stack_shadow_ = static_cast<uint8_t*>(shadow);
}

Checker::~Checker() { ::munmap(stack_shadow_, stacks_.bytes()); }

void Checker::begin_threadgroup(MemoryMap* map, const CodeMap* code,
                                uint32_t launch, uint32_t threadgroup) {
  map_ = map;
  code_ = code;
  latest_ = nullptr;
  launch_ = launch;
  threadgroup_ = threadgroup;
  ++generation_;
  variables_.clear();
  pending_group_.clear();
  // Another object's descriptions may lie where those of one before lay.
  written_by_caller_.clear();
}

void Checker::forget_stacks() {
  ::madvise(stack_shadow_, stacks_.bytes(), MADV_DONTNEED);
}

void Checker::allow(const void* data, std::size_t bytes) {
  allowed_.push_back({reinterpret_cast<uintptr_t>(data), bytes});
}

bool Checker::is_allowed(uintptr_t address) const {
  return std::any_of(
      allowed_.begin(), allowed_.end(),
      [&](const Allowed& each) { return address - each.begin < each.bytes; });
}

void Checker::add_variable(const EvokeMetalVariable& variable,
                           std::size_t offset) {
  variables_.push_back({&variable, offset});
}

const Finding* Checker::report(const Accessor& who, FindingKind kind, int line,
                               std::string text) {
  finding_.kind = kind;
  finding_.threadgroup = threadgroup_;
  finding_.line = line;
  finding_.message = who_is(who.thread) + " " + text;
  return &finding_;
}

int Checker::line_of(const void* code) const {
  return code_->line_of(code_->offset_of(code));
}

const Finding* Checker::pending() const {
  return pending_group_.empty() ? nullptr : &pending_group_.front();
}

std::vector<Finding> Checker::take_pending() {
  return std::exchange(pending_device_, {});
}

std::string Checker::who_is(uint16_t thread) const {
  return fmt::format("thread {} (lane {} of simdgroup {})", thread, thread % 32,
                     thread / 32);
}

std::string Checker::where(uint32_t code) const {
  const int line = code_->line_of(code);
  return line > 0 ? fmt::format(" at line {}", line) : std::string();
}

const Finding* Checker::access(const Accessor& who, uintptr_t address,
                               std::size_t bytes, Access kind,
                               const void* code) {
  ++accesses_;
  constexpr std::size_t kLongest = 16;
  for (; bytes > kLongest; address += kLongest, bytes -= kLongest) {
    if (const Finding* found = access(who, address, kLongest, kind, code)) {
      return found;
    }
  }
  if (address - stacks_.begin() < stacks_.bytes()) {
    return private_access(who, address, bytes, kind, code);
  }
  if (address - reinterpret_cast<uintptr_t>(memory_) < memory_bytes_) {
    return group_access(who, address, bytes, kind, code);
  }
  if (kind == Access::read && is_allowed(address)) return nullptr;
  return device_access(who, address, bytes, kind, code);
}

const Finding* Checker::copy(const Accessor& who, uintptr_t to, uintptr_t from,
                             std::size_t bytes, const void* code) {
  const bool both_private = to - stacks_.begin() < stacks_.bytes() &&
                            from - stacks_.begin() < stacks_.bytes();
  if (both_private) {
    // What was never written stays so.
    std::memmove(stack_shadow_ + (to - stacks_.begin()),
                 stack_shadow_ + (from - stacks_.begin()), bytes);
    return nullptr;
  }
  constexpr std::size_t kStep = 16;
  for (std::size_t at = 0; at < bytes; at += kStep) {
    const std::size_t part = std::min(kStep, bytes - at);
    const Finding* found = access(who, from + at, part, Access::read, code);
    if (found == nullptr) {
      found = access(who, to + at, part, Access::write, code);
    }
    if (found != nullptr) return found;
  }
  return nullptr;
}

void Checker::set_frame(uintptr_t shadow, std::size_t count, uint8_t value) {
  const uintptr_t address = shadow * kGranule - stacks_.begin();
  const std::size_t bytes = count * kGranule;
  if (address >= stacks_.bytes()) return;
  uint8_t* const state = stack_shadow_ + address;
  if (value == kLeft || value == kMiddle || value == kRight) {
    std::memset(state, value, bytes);
    if (value == kLeft) {
      base_ = address;
      frame_ = address + bytes;
    }
    if (value == kRight && frame_ != 0) {
      // What the red zones left free holds variables, not written yet.
      for (uint8_t* each = stack_shadow_ + frame_; each < state; ++each) {
        if (*each == kPlain) *each = kUnwritten;
      }
      const char* description = nullptr;
      std::memcpy(&description,
                  reinterpret_cast<const void*>(stacks_.begin() + base_ + 8),
                  sizeof(description));
      for (const Range& each : written_by_caller(description)) {
        std::memset(stack_shadow_ + base_ + each.begin, kPlain,
                    each.end - each.begin);
      }
      frame_ = 0;
    }
  } else if (value == 0) {
    // A frame is left: its variables go with its zones.
    uint8_t* last = state + bytes;
    if (*state == kLeft) {
      uint8_t* const end = stack_shadow_ + stacks_.bytes();
      while (last < end && *last != kRight) ++last;
      while (last < end && *last == kRight) ++last;
    }
    std::memset(state, kPlain, static_cast<std::size_t>(last - state));
  } else if (value < kGranule) {
    std::memset(state, kUnwritten, value);
    std::memset(state + value, kMiddle, bytes - value);
  }
}

// "count offset size length name:line offset size ...": what clang passes by
// value lies in a copy called "name.byval".
const std::vector<Checker::Range>& Checker::written_by_caller(
    const char* description) {
  const auto [place, fresh] = written_by_caller_.try_emplace(description);
  if (!fresh) return place->second;
  for (const FrameVariable& each : frame_variables(description)) {
    if (each.name.ends_with(".byval")) {
      place->second.push_back({each.begin, each.begin + each.size});
    }
  }
  return place->second;
}

const Finding* Checker::private_access(const Accessor& who, uintptr_t address,
                                       std::size_t bytes, Access kind,
                                       const void* code) {
  uint8_t* const state = stack_shadow_ + (address - stacks_.begin());
  bool unwritten = false;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (state[i] >= kLeft) {
      return report(who, FindingKind::out_of_bounds_private, line_of(code),
                    fmt::format("{} {} bytes {}", verb(kind), bytes,
                                describe_private(address + i)));
    }
    unwritten |= state[i] == kUnwritten;
  }
  if (!unwritten) return nullptr;
  if (kind == Access::read) {
    return report(who, FindingKind::uninitialised_private, line_of(code),
                  fmt::format("reads {} bytes {} that it never wrote", bytes,
                              describe_private(address)));
  }
  std::memset(state, kPlain, bytes);
  return nullptr;
}

// "at byte 4 of its private variable 'scores' of 32 bytes", or beside what
// lies closest.
std::string Checker::describe_private(uintptr_t address) const {
  constexpr std::size_t kLongestFrame = 128 * 1024;
  const uintptr_t begin = stacks_.begin();
  for (uintptr_t at = address & ~uintptr_t{31};
       at >= begin && address - at < kLongestFrame; at -= 32) {
    if (stack_shadow_[at - begin] != kLeft) continue;
    uint64_t magic = 0;
    std::memcpy(&magic, reinterpret_cast<const void*>(at), sizeof(magic));
    if (magic != kFrameMagic) continue;
    const char* text = nullptr;
    std::memcpy(&text, reinterpret_cast<const void*>(at + 8), sizeof(text));
    const auto offset = static_cast<int64_t>(address - at);
    std::string best = "of its private memory";
    int64_t least = INT64_MAX;
    for (const FrameVariable& each : frame_variables(text)) {
      const auto first = static_cast<int64_t>(each.begin);
      const auto last = static_cast<int64_t>(each.begin + each.size);
      const int64_t distance = offset < first   ? first - offset
                               : offset >= last ? offset - last
                                                : -1;
      if (distance >= least) continue;
      least = distance;
      const std::string variable = fmt::format(
          "its private variable '{}' of {} bytes", each.name, each.size);
      best =
          distance < 0
              ? fmt::format("at byte {} of {}", offset - first, variable)
          : offset < first
              ? fmt::format("{} bytes before {}", distance, variable)
              : fmt::format("{} bytes past the end of {}", distance, variable);
    }
    return best;
  }
  return "of its private memory";
}

const Finding* Checker::group_access(const Accessor& who, uintptr_t address,
                                     std::size_t bytes, Access kind,
                                     const void* code) {
  const std::size_t offset = address - reinterpret_cast<uintptr_t>(memory_);
  const Variable* variable = nullptr;
  for (const Variable& each : variables_) {
    if (offset >= each.offset &&
        offset + bytes <= each.offset + each.declared->bytes) {
      variable = &each;
    }
  }
  if (variable == nullptr) {
    const Variable* best = nullptr;
    std::size_t least = SIZE_MAX;
    for (const Variable& each : variables_) {
      const std::size_t end = each.offset + each.declared->bytes;
      const std::size_t distance = offset < each.offset ? each.offset - offset
                                   : offset > end       ? offset - end
                                                        : 0;
      if (distance < least) {
        least = distance;
        best = &each;
      }
    }
    return report(
        who, FindingKind::out_of_bounds_threadgroup, line_of(code),
        best == nullptr
            ? fmt::format("{} threadgroup memory that no variable has",
                          verb(kind))
            : fmt::format("{} {} bytes at byte {} of the threadgroup variable "
                          "'{}' of {} bytes",
                          verb(kind), bytes,
                          static_cast<int64_t>(offset) -
                              static_cast<int64_t>(best->offset),
                          best->declared->name, best->declared->bytes));
  }
  const std::size_t step = variable->declared->granule;
  const uint32_t at_code = code_->offset_of(code);
  const std::size_t first =
      variable->offset + (offset - variable->offset) / step * step;
  for (std::size_t at = first; at < offset + bytes; at += step) {
    Cell& cell = cells_[at];
    if (cell.generation != generation_) {
      cell = Cell();
      cell.generation = generation_;
    }
    const bool same_writer_group = cell.writer_simdgroup == who.simdgroup;
    const bool ordered_after_write =
        !cell.written || cell.writer == who.thread ||
        (kind == Access::atomic && cell.write_atomic) ||
        who.group.threadgroup_fences > cell.write_group.threadgroup_fences ||
        (same_writer_group &&
         who.simd.threadgroup_fences > cell.write_simd.threadgroup_fences);
    const auto element = [&] {
      return fmt::format("byte {} of the threadgroup variable '{}'",
                         at - variable->offset, variable->declared->name);
    };
    if (!ordered_after_write) {
      const bool barrier =
          who.group.barriers > cell.write_group.barriers ||
          (same_writer_group && who.simd.barriers > cell.write_simd.barriers);
      return report(
          who,
          barrier             ? FindingKind::wrong_barrier_flags
          : same_writer_group ? FindingKind::race_simdgroup
                              : FindingKind::race_threadgroup,
          line_of(code),
          fmt::format("{} {}, which {} wrote{}, with no {} between", verb(kind),
                      element(), who_is(cell.writer), where(cell.write_code),
                      barrier ? "barrier that has mem_flags::mem_threadgroup"
                      : same_writer_group
                          ? "simdgroup_barrier or threadgroup_barrier"
                          : "threadgroup_barrier"));
    }
    if (kind == Access::read) {
      if (!cell.written) {
        // A race, perhaps, with a thread that runs later; else this.
        if (pending_group_.empty()) {
          pending_group_.push_back(*report(
              who, FindingKind::uninitialised_threadgroup, line_of(code),
              fmt::format("reads {}, which no thread has written", element())));
        }
      }
      if (!cell.read ||
          cell.read_group.threadgroup_fences != who.group.threadgroup_fences) {
        cell.reader_simdgroups = 0;
        cell.reader_lanes = 0;
      } else if (cell.reader_simdgroup != who.simdgroup ||
                 cell.read_simd.threadgroup_fences !=
                     who.simd.threadgroup_fences) {
        cell.reader_lanes = 0;
      }
      cell.read = true;
      cell.reader = who.thread;
      cell.reader_simdgroup = who.simdgroup;
      cell.read_group = who.group;
      cell.read_simd = who.simd;
      cell.read_code = at_code;
      cell.reader_simdgroups |= 1u << who.simdgroup;
      cell.reader_lanes |= 1u << who.lane;
      continue;
    }
    if (cell.read &&
        cell.read_group.threadgroup_fences == who.group.threadgroup_fences) {
      const bool others =
          (cell.reader_simdgroups & ~(1u << who.simdgroup)) != 0;
      const bool mates =
          cell.reader_simdgroup == who.simdgroup &&
          cell.read_simd.threadgroup_fences == who.simd.threadgroup_fences &&
          (cell.reader_lanes & ~(1u << who.lane)) != 0;
      if (others || mates) {
        const bool barrier =
            who.group.barriers > cell.read_group.barriers ||
            (!others && who.simd.barriers > cell.read_simd.barriers);
        return report(
            who,
            barrier  ? FindingKind::wrong_barrier_flags
            : others ? FindingKind::race_threadgroup
                     : FindingKind::race_simdgroup,
            cell.written ? line_of(code) : code_->line_of(cell.read_code),
            fmt::format(
                "{} {}, which {}{} read{}, with no {} between", verb(kind),
                element(),
                cell.reader == who.thread ? "another thread besides " : "",
                who_is(cell.reader), where(cell.read_code),
                barrier  ? "barrier that has mem_flags::mem_threadgroup"
                : others ? "threadgroup_barrier"
                         : "simdgroup_barrier or threadgroup_barrier"));
      }
    }
    if (kind == Access::atomic && !cell.written) {
      // A store initialises, an update reads; which of the two is not known.
      cell.written = true;
    }
    cell.written = true;
    cell.read = false;
    cell.write_atomic = kind == Access::atomic;
    cell.writer = who.thread;
    cell.writer_simdgroup = who.simdgroup;
    cell.write_group = who.group;
    cell.write_simd = who.simd;
    cell.write_code = at_code;
  }
  return nullptr;
}

const Finding* Checker::wild_access(const Accessor& who, uintptr_t address,
                                    std::size_t bytes, Access kind,
                                    const void* code) {
  const Region* region = map_->nearest(address);
  if (region == nullptr) {
    return report(
        who, FindingKind::out_of_bounds_device, line_of(code),
        fmt::format("{} memory that is none of its arguments", verb(kind)));
  }
  const bool inside = address >= region->begin && address < region->end;
  return report(
      who, FindingKind::out_of_bounds_device, line_of(code),
      fmt::format("{} {} bytes out of bounds: {} of '{}'{}", verb(kind), bytes,
                  region->place(address), region->name,
                  inside ? "" : ", the buffer closest to the address"));
}

const Finding* Checker::device_access(const Accessor& who, uintptr_t address,
                                      std::size_t bytes, Access kind,
                                      const void* code) {
  if (latest_ == nullptr || address < latest_->begin ||
      address >= latest_->end) {
    latest_ = map_->find(address);
  }
  if (latest_ == nullptr) {
    if (kind == Access::read && code_->is_constant(address, bytes)) {
      return nullptr;
    }
    return wild_access(who, address, bytes, kind, code);
  }
  Region& region = *latest_;
  if (region.valid_bytes(address) < bytes) {
    return wild_access(who, address, bytes, kind, code);
  }
  if (region.cells.empty()) {
    if (kind == Access::read) return nullptr;
    return report(who, FindingKind::write_to_input, line_of(code),
                  fmt::format("{} '{}', which it may only read", verb(kind),
                              region.name));
  }
  const std::size_t step = std::size_t{1} << region.unit_shift;
  for (uintptr_t at = address / step * step; at < address + bytes; at += step) {
    if (const Finding* found = device_unit(who, region, at, kind, code)) {
      return found;
    }
  }
  return nullptr;
}

const Finding* Checker::device_unit(const Accessor& who, Region& region,
                                    uintptr_t address, Access kind,
                                    const void* code) {
  DeviceCell& cell = *region.cell(address);
  const CellLock lock(&cell);
  const uint32_t at_code = code_->offset_of(code);
  const bool atomic = kind == Access::atomic;
  const auto element = [&] {
    return fmt::format("{} of '{}'", region.place(address), region.name);
  };
  if (cell.write_launch == launch_) {
    const bool same_group = cell.writer_group == threadgroup_;
    const bool same_simd =
        same_group && cell.writer_thread / 32 == who.simdgroup;
    const bool ordered =
        (same_group && cell.writer_thread == who.thread) ||
        (atomic && cell.write_atomic) ||
        (same_group &&
         (who.group.device_fences > cell.write_group_fences ||
          (same_simd && who.simd.device_fences > cell.write_simd_fences)));
    if (!ordered) {
      const bool barrier =
          same_group &&
          (who.group.barriers > cell.write_group_barriers ||
           (same_simd && who.simd.barriers > cell.write_simd_barriers));
      return report(
          who,
          barrier ? FindingKind::wrong_barrier_flags : FindingKind::race_device,
          line_of(code),
          same_group
              ? fmt::format("{} {}, which {} wrote{}, with no {} between",
                            verb(kind), element(), who_is(cell.writer_thread),
                            where(cell.write_code),
                            barrier ? "barrier that has mem_flags::mem_device"
                                    : "barrier")
              : fmt::format("{} {}, which threadgroup {} wrote{} in the same "
                            "launch",
                            verb(kind), element(), cell.writer_group,
                            where(cell.write_code)));
    }
  } else if (kind == Access::read && !cell.written && !region.zeroed &&
             region.kind != Region::Kind::input) {
    if (pending_device_.empty() ||
        pending_device_.back().threadgroup != threadgroup_) {
      pending_device_.push_back(*report(
          who, FindingKind::uninitialised_scratch, line_of(code),
          fmt::format("reads {}, which nothing has written", element())));
    }
  }
  if (kind == Access::read) {
    const bool first = cell.read_launch != launch_;
    if (first) {
      cell.reader_group = threadgroup_;
    } else if (cell.reader_group != threadgroup_) {
      cell.reader_group = DeviceCell::kManyGroups;
    }
    if (first || cell.read_group_fences != who.group.device_fences) {
      cell.reader_simdgroups = 0;
      cell.reader_lanes = 0;
    } else if (cell.reader_thread / 32 != who.simdgroup ||
               cell.read_simd_fences != who.simd.device_fences) {
      cell.reader_lanes = 0;
    }
    cell.read_launch = launch_;
    cell.reader_thread = who.thread;
    cell.read_group_fences = who.group.device_fences;
    cell.read_simd_fences = who.simd.device_fences;
    cell.read_group_barriers = who.group.barriers;
    cell.read_simd_barriers = who.simd.barriers;
    cell.reader_simdgroups |= 1u << who.simdgroup;
    cell.reader_lanes |= 1u << who.lane;
    cell.read_code = at_code;
    return nullptr;
  }
  if (cell.read_launch == launch_) {
    if (cell.reader_group != threadgroup_) {
      return report(
          who, FindingKind::race_device, line_of(code),
          fmt::format("{} {}, which {} read{} in the same launch", verb(kind),
                      element(),
                      cell.reader_group == DeviceCell::kManyGroups
                          ? std::string("other threadgroups")
                          : fmt::format("threadgroup {}", cell.reader_group),
                      where(cell.read_code)));
    }
    if (cell.read_group_fences == who.group.device_fences) {
      const bool others =
          (cell.reader_simdgroups & ~(1u << who.simdgroup)) != 0;
      const bool mates = cell.reader_thread / 32 == who.simdgroup &&
                         cell.read_simd_fences == who.simd.device_fences &&
                         (cell.reader_lanes & ~(1u << who.lane)) != 0;
      if (others || mates) {
        const bool barrier = who.group.barriers > cell.read_group_barriers;
        return report(
            who,
            barrier ? FindingKind::wrong_barrier_flags
                    : FindingKind::race_device,
            cell.written ? line_of(code) : code_->line_of(cell.read_code),
            fmt::format("{} {}, which {} read{}, with no {} between",
                        verb(kind), element(), who_is(cell.reader_thread),
                        where(cell.read_code),
                        barrier ? "barrier that has mem_flags::mem_device"
                                : "barrier"));
      }
    }
  }
  cell.write_launch = launch_;
  cell.writer_group = threadgroup_;
  cell.writer_thread = who.thread;
  cell.write_atomic = atomic;
  cell.written = true;
  cell.write_group_fences = who.group.device_fences;
  cell.write_simd_fences = who.simd.device_fences;
  cell.write_group_barriers = who.group.barriers;
  cell.write_simd_barriers = who.simd.barriers;
  cell.write_code = at_code;
  return nullptr;
}

}  // namespace evoke::metal::host
