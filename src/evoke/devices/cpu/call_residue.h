// What a kernel leaves behind in its thread and could find again in a later
// call: its stack, and registers that nobody saves.
#pragma once

#include <cstdint>

namespace evoke::cpu {

// The lowest address that the calling thread's stack may grow to; 0 when that
// is not known. Reads files on the first thread: call it before the process
// forbids itself to.
uintptr_t lowest_stack_address();

// Gives back the stack below the caller's frames, zeroed or unmapped, and
// resets vector, tile and floating-point state. `lowest`: of this thread.
void clear_residue(uintptr_t lowest);

}  // namespace evoke::cpu
