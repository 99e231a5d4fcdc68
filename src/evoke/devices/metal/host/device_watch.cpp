#include "evoke/devices/metal/host/device_watch.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <string>

namespace evoke::metal::host {
namespace {

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

// "element (0, 3) of 'output'"
std::string element(const Region& region, uintptr_t address) {
  return fmt::format("{} of '{}'", region.place(address), region.name);
}

}  // namespace

void DeviceWatch::begin_threadgroup(MemoryMap* map) {
  map_ = map;
  latest_.fill(nullptr);
}

const Finding* DeviceWatch::wild(const Accessor& who, uintptr_t address,
                                 std::size_t bytes, Access kind,
                                 const void* code) {
  const Region* region = map_->nearest(address);
  if (region == nullptr) {
    return report_.finding(
        who, FindingKind::out_of_bounds_device, report_.code().line_at(code),
        fmt::format("{} memory that is none of its arguments", verb(kind)));
  }
  const bool inside = address >= region->begin && address < region->end;
  return report_.finding(
      who, FindingKind::out_of_bounds_device, report_.code().line_at(code),
      fmt::format("{} {} bytes out of bounds: {} of '{}'{}", verb(kind), bytes,
                  region->place(address), region->name,
                  inside ? "" : ", the buffer closest to the address"));
}

const Finding* DeviceWatch::access(const Accessor& who, uintptr_t address,
                                   std::size_t bytes, Access kind,
                                   const void* code) {
  Region*& latest =
      latest_[(reinterpret_cast<uintptr_t>(code) >> 2) % kRemembered];
  if (latest == nullptr || address < latest->begin || address >= latest->end) {
    latest = map_->find(address);
  }
  if (latest == nullptr) {
    if (kind == Access::read && report_.code().is_constant(address, bytes)) {
      return nullptr;
    }
    return wild(who, address, bytes, kind, code);
  }
  Region& region = *latest;
  if (region.valid_bytes(address) < bytes) {
    return wild(who, address, bytes, kind, code);
  }
  if (region.cells.empty()) {
    if (kind == Access::read) return nullptr;
    return report_.finding(who, FindingKind::write_to_input,
                           report_.code().line_at(code),
                           fmt::format("{} '{}', which it may only read",
                                       verb(kind), region.name));
  }
  const std::size_t step = std::size_t{1} << region.unit_shift;
  for (uintptr_t at = address / step * step; at < address + bytes; at += step) {
    if (const Finding* found = access_cell(who, region, at, kind, code)) {
      return found;
    }
  }
  return nullptr;
}

const Finding* DeviceWatch::access_cell(const Accessor& who, Region& region,
                                        uintptr_t address, Access kind,
                                        const void* code) {
  DeviceCell& cell = *region.cell(address);
  const CellLock lock(&cell);
  const bool atomic = kind == Access::atomic;
  const uint32_t group = report_.threadgroup();
  if (cell.write_launch == report_.launch()) {
    const bool same_group = cell.writer_group == group;
    const bool ordered =
        (atomic && cell.write_atomic) ||
        (same_group && (cell.writer_thread == who.thread ||
                        who.group->device_fence > cell.write_moment ||
                        (cell.writer_thread / 32 == who.simdgroup &&
                         who.simd->device_fence > cell.write_moment)));
    if (!ordered) return after_write(who, region, cell, address, kind, code);
  } else if (kind == Access::read && !cell.written && !region.zeroed &&
             region.kind != Region::Kind::input) {
    note_unwritten(who, region, address, code);
  }
  if (kind == Access::read) {
    remember_read(who, cell, code);
    return nullptr;
  }
  if (cell.read_launch == report_.launch()) {
    const bool other_group = cell.reader_group != group;
    const bool fenced = who.group->device_fence > cell.read_moment;
    const bool others =
        (cell.reader_simdgroups & ~(uint32_t{1} << who.simdgroup)) != 0;
    const bool mates = cell.reader_thread / 32 == who.simdgroup &&
                       who.simd->device_fence <= cell.read_moment &&
                       (cell.reader_lanes & ~(uint32_t{1} << who.lane)) != 0;
    if (other_group || (!fenced && (others || mates))) {
      return after_read(who, region, cell, address, kind, code);
    }
  }
  cell.write_launch = report_.launch();
  cell.writer_group = group;
  cell.writer_thread = who.thread;
  cell.write_atomic = atomic;
  cell.written = true;
  cell.write_moment = who.now;
  cell.write_code = report_.offset_of(code);
  return nullptr;
}

// Right only if no finding of the launch explains it better.
void DeviceWatch::note_unwritten(const Accessor& who, const Region& region,
                                 uintptr_t address, const void* code) {
  if (!pending_.empty() &&
      pending_.back().threadgroup == report_.threadgroup()) {
    return;
  }
  pending_.push_back(*report_.finding(
      who, FindingKind::uninitialised_scratch, report_.code().line_at(code),
      fmt::format("reads {}, which nothing has written",
                  element(region, address))));
}

void DeviceWatch::remember_read(const Accessor& who, DeviceCell& cell,
                                const void* code) {
  const bool first = cell.read_launch != report_.launch();
  const bool own_group = cell.reader_group == report_.threadgroup();
  if (first || !own_group || who.group->device_fence > cell.read_moment) {
    cell.reader_simdgroups = 0;
    cell.reader_lanes = 0;
  } else if (cell.reader_thread / 32 != who.simdgroup ||
             who.simd->device_fence > cell.read_moment) {
    cell.reader_lanes = 0;
  }
  cell.reader_group =
      first || own_group ? report_.threadgroup() : DeviceCell::kManyGroups;
  cell.read_launch = report_.launch();
  cell.reader_thread = who.thread;
  cell.read_moment = who.now;
  cell.reader_simdgroups |= uint32_t{1} << who.simdgroup;
  cell.reader_lanes |= uint32_t{1} << who.lane;
  cell.read_code = report_.offset_of(code);
}

// Not ordered after the latest write.
const Finding* DeviceWatch::after_write(const Accessor& who,
                                        const Region& region,
                                        const DeviceCell& cell,
                                        uintptr_t address, Access kind,
                                        const void* code) {
  const bool same_group = cell.writer_group == report_.threadgroup();
  const bool barrier =
      same_group && (who.group->barrier > cell.write_moment ||
                     (cell.writer_thread / 32 == who.simdgroup &&
                      who.simd->barrier > cell.write_moment));
  return report_.finding(
      who,
      barrier ? FindingKind::wrong_barrier_flags : FindingKind::race_device,
      report_.code().line_at(code),
      same_group
          ? fmt::format(
                "{} {}, which {} wrote{}, with no {} between", verb(kind),
                element(region, address), thread_name(cell.writer_thread),
                report_.where(cell.write_code),
                barrier ? "barrier that has mem_flags::mem_device" : "barrier")
          : fmt::format("{} {}, which threadgroup {} wrote{} in the same "
                        "launch",
                        verb(kind), element(region, address), cell.writer_group,
                        report_.where(cell.write_code)));
}

// A write, not ordered after all reads.
const Finding* DeviceWatch::after_read(const Accessor& who,
                                       const Region& region,
                                       const DeviceCell& cell,
                                       uintptr_t address, Access kind,
                                       const void* code) {
  if (cell.reader_group != report_.threadgroup()) {
    return report_.finding(
        who, FindingKind::race_device, report_.code().line_at(code),
        fmt::format("{} {}, which {} read{} in the same launch", verb(kind),
                    element(region, address),
                    cell.reader_group == DeviceCell::kManyGroups
                        ? std::string("other threadgroups")
                        : fmt::format("threadgroup {}", cell.reader_group),
                    report_.where(cell.read_code)));
  }
  const bool barrier = who.group->barrier > cell.read_moment;
  return report_.finding(
      who,
      barrier ? FindingKind::wrong_barrier_flags : FindingKind::race_device,
      cell.written ? report_.code().line_at(code)
                   : report_.code().line_of(cell.read_code),
      fmt::format(
          "{} {}, which {} read{}, with no {} between", verb(kind),
          element(region, address), thread_name(cell.reader_thread),
          report_.where(cell.read_code),
          barrier ? "barrier that has mem_flags::mem_device" : "barrier"));
}

}  // namespace evoke::metal::host
