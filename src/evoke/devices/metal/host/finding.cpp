#include "evoke/devices/metal/host/finding.h"

namespace evoke::metal::host {

std::string_view to_string(FindingKind kind) {
  switch (kind) {
    case FindingKind::out_of_bounds_device:
      return "out of bounds (device memory)";
    case FindingKind::out_of_bounds_threadgroup:
      return "out of bounds (threadgroup memory)";
    case FindingKind::out_of_bounds_private:
      return "out of bounds (private memory)";
    case FindingKind::write_to_input:
      return "write to an input";
    case FindingKind::race_threadgroup:
      return "race in threadgroup memory";
    case FindingKind::race_simdgroup:
      return "race within a simdgroup";
    case FindingKind::race_device:
      return "race in device memory";
    case FindingKind::wrong_barrier_flags:
      return "wrong barrier flags";
    case FindingKind::divergent_barrier:
      return "divergent barrier";
    case FindingKind::inactive_lane:
      return "value of an inactive lane";
    case FindingKind::lane_range:
      return "lane beyond the simdgroup";
    case FindingKind::uninitialised_threadgroup:
      return "uninitialised threadgroup memory";
    case FindingKind::uninitialised_private:
      return "uninitialised private memory";
    case FindingKind::uninitialised_scratch:
      return "uninitialised scratch";
    case FindingKind::unwritten_output:
      return "unwritten output";
    case FindingKind::threadgroup_memory_limit:
      return "too much threadgroup memory";
    case FindingKind::stack_overflow:
      return "too much private memory";
    case FindingKind::divergent_simdgroup:
      return "divergent simdgroup function";
  }
  return "";
}

bool is_out_of_bounds(FindingKind kind) {
  switch (kind) {
    case FindingKind::out_of_bounds_device:
    case FindingKind::out_of_bounds_threadgroup:
    case FindingKind::out_of_bounds_private:
    case FindingKind::write_to_input:
    case FindingKind::stack_overflow:
      return true;
    default:
      return false;
  }
}

bool is_note(FindingKind kind) {
  return kind == FindingKind::divergent_simdgroup;
}

}  // namespace evoke::metal::host
