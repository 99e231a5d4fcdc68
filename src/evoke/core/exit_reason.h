// Why a runner ended of its own accord: its exit code. A closed list, so that
// a process in which anything may have happened says one number and no text.
#pragma once

#include <string_view>

namespace evoke {

enum class ExitReason {
  illegal_address = 64,  // a kernel read or wrote where there is no memory
  misaligned_address,
  illegal_instruction,
  stack_fault,  // the kernel's stack, or its program counter
  kernel_assert,
  launch_timeout,  // the driver's own watchdog
  device_lost,     // the hardware, not the kernel
  launch_failed,   // anything else that a kernel did
};

// In words; empty for any other exit code.
std::string_view describe_exit(int exit_code);
// Whether it is the device's fault and not the kernel's.
bool is_hardware_fault(int exit_code);

}  // namespace evoke
