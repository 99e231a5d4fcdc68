// How the lanes of an executor meet: simd functions, barriers, and what is
// done where they do not all come.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "evoke/devices/metal/host/executor.h"

namespace evoke::metal::host {
namespace {

int line_of(uint64_t place) { return static_cast<int>(place >> 32); }
uint32_t operation_of(uint64_t place) {
  return static_cast<uint32_t>(place & 0xff);
}

}  // namespace

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

// The lane that runs next; when none can, what they wait for is resolved.
std::size_t Executor::next_lane() {
  for (;;) {
    const std::size_t own = current_ / kSimdWidth;
    std::size_t g = own;
    for (std::size_t i = 0; i < num_simdgroups_; ++i, ++g) {
      if (g == num_simdgroups_) g = 0;
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
  if (contexts_[to] == nullptr) {
    contexts_[to] = make_context(stacks_.stack(to), stacks_.stack_bytes(),
                                 enter, &lanes_[to]);
  }
  evoke_metal_switch(&contexts_[from], contexts_[to]);
}

// Lanes that wait begin to wait at different places.
void Executor::part(std::size_t g) {
  Simdgroup& group = simdgroups_[g];
  for (uint32_t rest = group.waiting; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<std::size_t>(std::countr_zero(rest));
    lanes_[g * kSimdWidth + lane].place = group.place;
  }
  group.same_place = false;
}

void Executor::go_on(Simdgroup& group, uint32_t lanes) {
  EvokeMetalLanes& answer = group.lanes[group.turn];
  answer.active = lanes;
  answer.shared_ready = 0;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    group.answer[static_cast<std::size_t>(std::countr_zero(rest))] =
        static_cast<uint8_t>(group.turn);
  }
  group.turn = (group.turn + 1) % static_cast<uint32_t>(group.lanes.size());
  group.waiting &= ~lanes;
  group.runnable |= lanes;
}

void Executor::complete(Simdgroup& group) {
  if (operation_of(group.place) == kEvokeMetalSimdgroupBarrier) {
    meet(group.meetings, group.flags);
  }
  go_on(group, group.waiting);
  group.same_place = true;
}

// Lanes of one simdgroup wait at different places: the earliest one goes on.
void Executor::resolve_divergence(std::size_t g) {
  Simdgroup& group = simdgroups_[g];
  if (group.same_place) part(g);
  const std::size_t base = g * kSimdWidth;
  uint64_t earliest = UINT64_MAX;
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
    group.place = earliest;
    complete(group);
    return;
  }
  const uint32_t others = group.live & ~chosen;
  const auto other = static_cast<std::size_t>(std::countr_zero(others));
  const std::string where =
      (group.parked >> other & 1) != 0
          ? fmt::format("waits at the barrier of line {}",
                        line_of(lanes_[base + other].place))
          : fmt::format("waits at line {}",
                        line_of(lanes_[base + other].place));
  const std::string text = fmt::format(
      "{} of {} lanes of simdgroup {} come here; {} {}", std::popcount(chosen),
      std::popcount(group.live), g, thread_name(base + other), where);
  if (operation_of(earliest) == kEvokeMetalSimdgroupBarrier) {
    fail(FindingKind::divergent_barrier, line_of(earliest), text);
  }
  note(FindingKind::divergent_simdgroup, line_of(earliest), text);
  // Values of those that stay behind move on to the next turn.
  const uint32_t turn = group.turn;
  group.flags = 0;
  go_on(group, chosen);
  for (uint32_t rest = group.waiting; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<std::size_t>(std::countr_zero(rest));
    std::memcpy(group.lanes[group.turn].values[lane],
                group.lanes[turn].values[lane],
                sizeof(group.lanes[turn].values[lane]));
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
        fail(FindingKind::divergent_barrier, line_of(lanes_[first].place),
             fmt::format("{} waits at the threadgroup_barrier of line {} while "
                         "{} waits at that of line {}",
                         thread_name(first), line_of(lanes_[first].place),
                         thread_name(lane), line_of(lanes_[lane].place)));
      }
    }
  }
  if (returned_ > 0) {
    fail(FindingKind::divergent_barrier, line_of(lanes_[first].place),
         fmt::format("{} waits at a threadgroup_barrier that {} of {} threads "
                     "never reach: they have returned",
                     thread_name(first), returned_, num_lanes_));
  }
  report_pending();
  meet(meetings_, barrier_flags_);
  for (std::size_t g = 0; g < num_simdgroups_; ++g) {
    Simdgroup& group = simdgroups_[g];
    group.runnable = group.parked;
    group.parked = 0;
  }
  return true;
}

void Executor::meet(Meetings& meetings, uint32_t flags) {
  ++now_;
  meetings.barrier = now_;
  if ((flags & 1) != 0) meetings.device_fence = now_;
  if ((flags & 2) != 0) meetings.threadgroup_fence = now_;
}

EvokeMetalLanes* Executor::exchange(uint64_t first, uint64_t second,
                                    uint64_t third, uint64_t place) {
  const std::size_t lane = current_ % kSimdWidth;
  Simdgroup& group = simdgroups_[current_ / kSimdWidth];
  const uint32_t bit = uint32_t{1} << lane;
  uint64_t* const value = group.lanes[group.turn].values[lane];
  value[0] = first;
  value[1] = second;
  value[2] = third;
  if (group.waiting == 0) {
    group.place = place;
    group.same_place = true;
  } else if (group.same_place && group.place != place) {
    part(current_ / kSimdWidth);
  }
  if (!group.same_place) lanes_[current_].place = place;
  group.waiting |= bit;
  group.runnable &= ~bit;
  if (group.waiting == group.live && group.same_place) {
    complete(group);
  } else if (const uint32_t later = group.runnable & (0U - bit); later != 0) {
    // As next_lane() has it, most of the time.
    switch_to(current_ - lane +
              static_cast<std::size_t>(std::countr_zero(later)));
  } else {
    switch_to(next_lane());
  }
  EvokeMetalLanes& answer = group.lanes[group.answer[lane]];
  answer.lane = static_cast<uint32_t>(lane);
  return &answer;
}

void Executor::barrier(uint32_t flags, uint64_t place) {
  Simdgroup& group = simdgroups_[current_ / kSimdWidth];
  if (operation_of(place) == kEvokeMetalSimdgroupBarrier) {
    group.flags = flags;
    exchange(0, 0, 0, place);
    return;
  }
  const uint32_t bit = uint32_t{1} << current_ % kSimdWidth;
  lanes_[current_].place = place;
  barrier_flags_ = flags;
  group.runnable &= ~bit;
  group.parked |= bit;
  switch_to(next_lane());
}

void Executor::lane_fault(int32_t fault, int32_t value, int32_t line) {
  if (fault == kEvokeMetalLaneRange) {
    fail(FindingKind::lane_range, line,
         fmt::format("{} asks for the value of lane {}; a simdgroup has lanes "
                     "0 to 31",
                     thread_name(current_), value));
  }
  fail(FindingKind::inactive_lane, line,
       fmt::format("{} needs lane {}, which does not take part here (it is "
                   "elsewhere, has returned or does not exist)",
                   thread_name(current_), value));
}

}  // namespace evoke::metal::host
