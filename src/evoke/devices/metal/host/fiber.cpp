#include "evoke/devices/metal/host/fiber.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "evoke/base/error.h"

// Callee-saved registers on the old stack, then the same from the new one. A
// jump, not a return: the processor predicts returns to the latest call.
// Control words of the floating-point units are not saved: kernels cannot
// change them.
#if defined(__x86_64__)
__asm__(R"(
.text
.p2align 4
.globl evoke_metal_switch
.type evoke_metal_switch, @function
evoke_metal_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
.size evoke_metal_switch, .-evoke_metal_switch

# The first switch to a new stack returns here: r12 the entry, r13 its
# argument.
.p2align 4
.type evoke_metal_begin, @function
evoke_metal_begin:
  movq %r13, %rdi
  callq *%r12
  ud2
.size evoke_metal_begin, .-evoke_metal_begin
)");
#elif defined(__aarch64__)
#if defined(__APPLE__)
#define EVOKE_SYMBOL(name) "_" name
#else
#define EVOKE_SYMBOL(name) name
#endif
// clang-format off
__asm__(
".text\n"
".p2align 4\n"
".globl " EVOKE_SYMBOL("evoke_metal_switch") "\n"
EVOKE_SYMBOL("evoke_metal_switch") ":\n"
"  stp x29, x30, [sp, #-160]!\n"
"  stp x19, x20, [sp, #16]\n"
"  stp x21, x22, [sp, #32]\n"
"  stp x23, x24, [sp, #48]\n"
"  stp x25, x26, [sp, #64]\n"
"  stp x27, x28, [sp, #80]\n"
"  stp d8, d9, [sp, #96]\n"
"  stp d10, d11, [sp, #112]\n"
"  stp d12, d13, [sp, #128]\n"
"  stp d14, d15, [sp, #144]\n"
"  mov x9, sp\n"
"  str x9, [x0]\n"
"  mov sp, x1\n"
"  ldp x19, x20, [sp, #16]\n"
"  ldp x21, x22, [sp, #32]\n"
"  ldp x23, x24, [sp, #48]\n"
"  ldp x25, x26, [sp, #64]\n"
"  ldp x27, x28, [sp, #80]\n"
"  ldp d8, d9, [sp, #96]\n"
"  ldp d10, d11, [sp, #112]\n"
"  ldp d12, d13, [sp, #128]\n"
"  ldp d14, d15, [sp, #144]\n"
"  ldp x29, x30, [sp], #160\n"
"  ret\n"
".p2align 4\n"
".globl " EVOKE_SYMBOL("evoke_metal_begin") "\n"
EVOKE_SYMBOL("evoke_metal_begin") ":\n"
"  mov x0, x20\n"
"  blr x19\n"
"  brk #1\n");
// clang-format on
#else
#error "evoke_metal_switch is written for x86-64 and arm64"
#endif

extern "C" void evoke_metal_begin();

namespace evoke::metal::host {
namespace {

constexpr std::size_t kGuardBytes = 16 * 1024;  // a page of every system
constexpr std::size_t kMaxSkew = 4096;
constexpr std::size_t kSkew = 7 * 64;  // from one stack to the next

}  // namespace

Context make_context(std::byte* stack, std::size_t bytes, void (*entry)(void*),
                     void* argument) {
  const uintptr_t top =
      (reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t{15};
#if defined(__x86_64__)
  // r15 r14 r13 r12 rbx rbp and the return address; two slots leave the stack
  // aligned where evoke_metal_begin calls.
  auto* const frame = reinterpret_cast<void**>(top) - 9;
  std::memset(frame, 0, 9 * sizeof(void*));
  frame[2] = argument;
  frame[3] = reinterpret_cast<void*>(entry);
  frame[6] = reinterpret_cast<void*>(&evoke_metal_begin);
  return frame;
#else
  auto* const frame = reinterpret_cast<void**>(top - 160);
  std::memset(frame, 0, 160);
  frame[1] = reinterpret_cast<void*>(&evoke_metal_begin);  // x30
  frame[2] = reinterpret_cast<void*>(entry);               // x19
  frame[3] = argument;                                     // x20
  return frame;
#endif
}

Stacks::~Stacks() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
}

void Stacks::reserve(std::size_t count) {
  const std::size_t bytes = count * kBytes;
  if (bytes <= bytes_) return;
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  memory_ = nullptr;
  bytes_ = 0;
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw StartupError(std::string("[Stacks::reserve] ") +
                       std::strerror(errno) +
                       ". Is the address space limited?");
  }
  memory_ = static_cast<std::byte*>(memory);
  bytes_ = bytes;
  for (std::size_t i = 0; i < count; ++i) {
    ::mprotect(memory_ + i * kBytes, kGuardBytes, PROT_NONE);
  }
}

std::byte* Stacks::stack(std::size_t index) const {
  return memory_ + index * kBytes + kGuardBytes + index * kSkew % kMaxSkew;
}

std::size_t Stacks::stack_bytes() const {
  return kBytes - kGuardBytes - kMaxSkew;
}

bool Stacks::is_guard(uintptr_t address) const {
  const uintptr_t offset = address - begin();
  return offset < bytes_ && offset % kBytes < kGuardBytes;
}

}  // namespace evoke::metal::host
