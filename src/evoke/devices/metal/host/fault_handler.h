// Memory that a kernel must not touch faults: the signal reaches whoever runs
// the kernel.
#pragma once

#include <signal.h>

#include <cstdint>
#include <vector>

namespace evoke::metal::host {

// Called in the signal's context; returns when the fault is not a kernel's.
// `code`: just behind the instruction, as a return address lies.
using FaultHandler = void (*)(uintptr_t address, const void* code);

// Once for the program; later calls change nothing.
void install_fault_handler(FaultHandler handler);

// Where the handler runs in this thread: the kernel's own stack may be what
// has overflowed.
class AlternateStack {
 public:
  AlternateStack();
  ~AlternateStack();
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;

 private:
  std::vector<char> memory_;
  stack_t previous_{};
};

}  // namespace evoke::metal::host
