// What the judge asks the system about runner processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace evoke::judge {

// Resident bytes that are the process's own, shared memory not counted; 0
// where the system does not tell.
int64_t private_memory_bytes(pid_t pid);
// SIGKILL to the process group and to the groups of all its descendants: a
// compiler started by a runner has a group of its own.
void kill_with_descendants(pid_t pid);
// Stops them all, and lets them go on. False where the system does not tell
// who they are.
bool pause_with_descendants(pid_t pid);
void resume_with_descendants(pid_t pid);
// "SIGSEGV, a memory access outside what it was given".
std::string describe_signal(int signal);

}  // namespace evoke::judge
