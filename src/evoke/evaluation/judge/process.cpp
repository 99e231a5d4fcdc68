#include "evoke/evaluation/judge/process.h"

#include <signal.h>

#include <cstring>

namespace evoke::judge {

std::string describe_signal(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV: a memory access outside its tensors, or a write to an "
             "input";
    case SIGBUS:
      return "SIGBUS: a misaligned or impossible memory access";
    case SIGILL:
      return "SIGILL: an instruction that this processor does not have, or a "
             "trap that the compiler put where behaviour is undefined";
    case SIGFPE:
      return "SIGFPE: an integer division by zero";
    case SIGABRT:
      return "SIGABRT: it gave up by itself";
    case SIGSYS:
      return "SIGSYS: a system call that kernels may not make";
    case SIGXCPU:
      return "SIGXCPU: its processor time was used up";
    case SIGKILL:
      return "SIGKILL: killed from outside, by the system when memory is short";
    default:
      return "signal " + std::to_string(signal) + " (" + ::strsignal(signal) +
             ")";
  }
}

}  // namespace evoke::judge
