#include "evoke/core/exit_reason.h"

namespace evoke {

std::string_view describe_exit(int exit_code) {
  switch (static_cast<ExitReason>(exit_code)) {
    case ExitReason::illegal_address:
      return "an illegal memory address in a kernel";
    case ExitReason::misaligned_address:
      return "a misaligned memory address in a kernel";
    case ExitReason::illegal_instruction:
      return "an illegal instruction in a kernel";
    case ExitReason::stack_fault:
      return "a stack overflow or invalid jump in a kernel";
    case ExitReason::kernel_assert:
      return "a trap or failed assertion in a kernel";
    case ExitReason::launch_timeout:
      return "a kernel that ran into the driver's time limit";
    case ExitReason::device_lost:
      return "an error of the device's hardware";
    case ExitReason::launch_failed:
      return "a fault in a kernel";
  }
  return {};
}

bool is_hardware_fault(int exit_code) {
  return exit_code == static_cast<int>(ExitReason::device_lost);
}

}  // namespace evoke
