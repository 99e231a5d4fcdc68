// What the executor found wrong with a kernel while it ran it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace evoke::metal::host {

enum class FindingKind {
  out_of_bounds_device,       // a tensor or an argument, or no memory at all
  out_of_bounds_threadgroup,  // beside a threadgroup variable
  out_of_bounds_private,      // beside a thread's own array
  write_to_input,
  race_threadgroup,     // no barrier between two threads' accesses
  race_simdgroup,       // the same within one simdgroup
  race_device,          // within a threadgroup, or across two
  wrong_barrier_flags,  // a barrier is there, for other memory
  divergent_barrier,    // not all threads come to the same barrier
  inactive_lane,        // a value from a lane that does not take part
  lane_range,           // a value from a lane beyond 31
  uninitialised_threadgroup,
  uninitialised_private,
  uninitialised_scratch,
  unwritten_output,
  threadgroup_memory_limit,
  stack_overflow,
  divergent_simdgroup  // legal, and seldom meant: a note
};
std::string_view to_string(FindingKind kind);

// Memory that is not the kernel's to touch.
bool is_out_of_bounds(FindingKind kind);

// A note does not make a kernel wrong.
bool is_note(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::out_of_bounds_device;
  int64_t threadgroup = 0;  // linear, for a stable order
  int line = 0;             // of the kernel file; 0: unknown
  std::string message;      // one line, fit for a prompt
};

}  // namespace evoke::metal::host
