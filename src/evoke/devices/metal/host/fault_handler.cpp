#include "evoke/devices/metal/host/fault_handler.h"

#include <ucontext.h>

#include <cstddef>
#include <mutex>

namespace evoke::metal::host {
namespace {

constexpr std::size_t kAlternateStackBytes = 64 * 1024;

FaultHandler kernel_handler = nullptr;
struct sigaction previous_segv;
struct sigaction previous_bus;

const void* code_address(const void* context) {
#if defined(__linux__) && defined(__x86_64__)
  const auto* const registers = static_cast<const ucontext_t*>(context);
  return reinterpret_cast<const void*>(registers->uc_mcontext.gregs[REG_RIP] +
                                       1);
#elif defined(__linux__) && defined(__aarch64__)
  const auto* const registers = static_cast<const ucontext_t*>(context);
  return reinterpret_cast<const void*>(registers->uc_mcontext.pc + 1);
#else
  (void)context;
  return nullptr;
#endif
}

void on_fault(int signal, siginfo_t* info, void* context) {
  kernel_handler(reinterpret_cast<uintptr_t>(info->si_addr),
                 code_address(context));
  // Not a kernel's: as if we had never been here.
  ::sigaction(signal, signal == SIGBUS ? &previous_bus : &previous_segv,
              nullptr);
}

}  // namespace

void install_fault_handler(FaultHandler handler) {
  static std::once_flag once;
  std::call_once(once, [&] {
    kernel_handler = handler;
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    ::sigaction(SIGSEGV, &action, &previous_segv);
    ::sigaction(SIGBUS, &action, &previous_bus);
  });
}

AlternateStack::AlternateStack() : memory_(kAlternateStackBytes) {
  stack_t stack{};
  stack.ss_sp = memory_.data();
  stack.ss_size = memory_.size();
  ::sigaltstack(&stack, &previous_);
}

AlternateStack::~AlternateStack() { ::sigaltstack(&previous_, nullptr); }

}  // namespace evoke::metal::host
