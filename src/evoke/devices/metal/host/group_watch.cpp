#include "evoke/devices/metal/host/group_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>

namespace evoke::metal::host {
namespace {

constexpr std::size_t kBlockBytes = 16;

}  // namespace

GroupWatch::GroupWatch(const std::byte* memory, std::size_t bytes,
                       Report& report)
    : memory_(reinterpret_cast<uintptr_t>(memory)),
      bytes_(bytes),
      report_(report),
      owners_(bytes / kBlockBytes, 0) {}

void GroupWatch::begin_threadgroup() {
  // What the variables were declared by may be gone with its object.
  std::fill(owners_.begin(),
            owners_.begin() + static_cast<std::ptrdiff_t>(blocks_used_),
            uint16_t{0});
  blocks_used_ = 0;
  variables_.clear();
  pending_.clear();
  cells_used_ = 0;
}

void GroupWatch::add_variable(const EvokeMetalVariable& variable,
                              std::size_t offset) {
  Variable added;
  added.declared = &variable;
  added.offset = offset;
  added.first_cell = cells_used_;
  added.unit_shift =
      static_cast<unsigned>(std::countr_zero(std::max(variable.granule, 1U)));
  // An access may reach over the end of what is no whole number of units.
  cells_used_ += (variable.bytes >> added.unit_shift) + 1;
  if (cells_.size() < cells_used_) cells_.resize(cells_used_);
  variables_.push_back(added);
  const auto owner = static_cast<uint16_t>(variables_.size());
  const std::size_t last =
      (offset + variable.bytes + kBlockBytes - 1) / kBlockBytes;
  for (std::size_t block = offset / kBlockBytes; block < last; ++block) {
    owners_[block] = owner;
  }
  blocks_used_ = std::max(blocks_used_, last);
}

const GroupWatch::Variable* GroupWatch::find(std::size_t offset,
                                             std::size_t bytes) const {
  const uint16_t owner = owners_[offset / kBlockBytes];
  if (owner == 0) return nullptr;
  const Variable& variable = variables_[owner - 1U];
  return offset + bytes <= variable.offset + variable.declared->bytes
             ? &variable
             : nullptr;
}

const Finding* GroupWatch::access(const Accessor& who, uintptr_t address,
                                  std::size_t bytes, Access kind,
                                  const void* code) {
  const std::size_t offset = address - memory_;
  const Variable* const variable = find(offset, bytes);
  if (variable == nullptr) {
    return out_of_bounds(who, offset, bytes, kind, code);
  }
  const std::size_t within = offset - variable->offset;
  const std::size_t last = (within + bytes - 1) >> variable->unit_shift;
  for (std::size_t i = within >> variable->unit_shift; i <= last; ++i) {
    if (const Finding* found = access_cell(who, *variable, i, kind, code)) {
      return found;
    }
  }
  return nullptr;
}

const Finding* GroupWatch::access_cell(const Accessor& who,
                                       const Variable& variable,
                                       std::size_t index, Access kind,
                                       const void* code) {
  Cell& cell = cells_[variable.first_cell + index];
  const uint32_t begun = report_.begun();
  const bool written = cell.written >= begun;
  if (written && cell.writer != who.thread &&
      !(kind == Access::atomic && cell.write_atomic) &&
      who.group->threadgroup_fence <= cell.written &&
      !(cell.writer / 32 == who.simdgroup &&
        who.simd->threadgroup_fence > cell.written)) {
    return after_write(who, variable, index, kind, code);
  }
  const bool read = cell.read >= begun;
  if (kind == Access::read) {
    if (!written && pending_.empty()) {
      // A race, perhaps, with a thread that runs later; else this.
      pending_.push_back(
          *report_.finding(who, FindingKind::uninitialised_threadgroup,
                           report_.code().line_at(code),
                           fmt::format("reads {}, which no thread has written",
                                       element(variable, index))));
    }
    if (!read || who.group->threadgroup_fence > cell.read) {
      cell.reader_simdgroups = 0;
      cell.reader_lanes = 0;
    } else if (cell.reader / 32 != who.simdgroup ||
               who.simd->threadgroup_fence > cell.read) {
      cell.reader_lanes = 0;
    }
    cell.read = who.now;
    cell.reader = who.thread;
    cell.read_code = report_.offset_of(code);
    cell.reader_simdgroups |= uint32_t{1} << who.simdgroup;
    cell.reader_lanes |= uint32_t{1} << who.lane;
    return nullptr;
  }
  if (read && who.group->threadgroup_fence <= cell.read) {
    const bool others =
        (cell.reader_simdgroups & ~(uint32_t{1} << who.simdgroup)) != 0;
    const bool mates = cell.reader / 32 == who.simdgroup &&
                       who.simd->threadgroup_fence <= cell.read &&
                       (cell.reader_lanes & ~(uint32_t{1} << who.lane)) != 0;
    if (others || mates) {
      return after_read(who, variable, index, kind, code, others);
    }
  }
  // An atomic update of what nobody wrote reads it; a store does not. Which
  // of the two it is is not known.
  cell.written = who.now;
  cell.read = 0;
  cell.write_atomic = kind == Access::atomic;
  cell.writer = who.thread;
  cell.write_code = report_.offset_of(code);
  return nullptr;
}

std::string GroupWatch::element(const Variable& variable, std::size_t index) {
  return fmt::format("byte {} of the threadgroup variable '{}'",
                     index << variable.unit_shift, variable.declared->name);
}

const Finding* GroupWatch::out_of_bounds(const Accessor& who,
                                         std::size_t offset, std::size_t bytes,
                                         Access kind, const void* code) {
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
  return report_.finding(
      who, FindingKind::out_of_bounds_threadgroup, report_.code().line_at(code),
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

// Not ordered after the latest write.
const Finding* GroupWatch::after_write(const Accessor& who,
                                       const Variable& variable,
                                       std::size_t index, Access kind,
                                       const void* code) {
  const Cell& cell = cells_[variable.first_cell + index];
  const bool same_simdgroup = cell.writer / 32 == who.simdgroup;
  const bool barrier = who.group->barrier > cell.written ||
                       (same_simdgroup && who.simd->barrier > cell.written);
  return report_.finding(
      who,
      barrier          ? FindingKind::wrong_barrier_flags
      : same_simdgroup ? FindingKind::race_simdgroup
                       : FindingKind::race_threadgroup,
      report_.code().line_at(code),
      fmt::format("{} {}, which {} wrote{}, with no {} between", verb(kind),
                  element(variable, index), thread_name(cell.writer),
                  report_.where(cell.write_code),
                  barrier ? "barrier that has mem_flags::mem_threadgroup"
                  : same_simdgroup ? "simdgroup_barrier or threadgroup_barrier"
                                   : "threadgroup_barrier"));
}

// A write, not ordered after all reads. `others`: of other simdgroups.
const Finding* GroupWatch::after_read(const Accessor& who,
                                      const Variable& variable,
                                      std::size_t index, Access kind,
                                      const void* code, bool others) {
  const Cell& cell = cells_[variable.first_cell + index];
  const bool barrier = who.group->barrier > cell.read ||
                       (!others && who.simd->barrier > cell.read);
  return report_.finding(
      who,
      barrier  ? FindingKind::wrong_barrier_flags
      : others ? FindingKind::race_threadgroup
               : FindingKind::race_simdgroup,
      cell.written >= report_.begun() ? report_.code().line_at(code)
                                      : report_.code().line_of(cell.read_code),
      fmt::format("{} {}, which {}{} read{}, with no {} between", verb(kind),
                  element(variable, index),
                  cell.reader == who.thread ? "another thread besides " : "",
                  thread_name(cell.reader), report_.where(cell.read_code),
                  barrier  ? "barrier that has mem_flags::mem_threadgroup"
                  : others ? "threadgroup_barrier"
                           : "simdgroup_barrier or threadgroup_barrier"));
}

}  // namespace evoke::metal::host
