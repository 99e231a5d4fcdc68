// Stacks that take turns in one thread of the system: one for each thread of
// a Metal threadgroup. Nothing is preempted; a switch saves what a function
// call keeps and no more.
#pragma once

#include <cstddef>
#include <cstdint>

namespace evoke::metal::host {

// A suspended flow of control: its stack pointer.
using Context = void*;

// Goes on at `to`; returns when something goes on at *from.
extern "C" void evoke_metal_switch(Context* from, Context to);

// A flow that will call entry(argument) on this stack when first switched to.
// `entry` must never return.
Context make_context(std::byte* stack, std::size_t bytes, void (*entry)(void*),
                     void* argument);

// Many stacks of equal size, each with an inaccessible page below it. They do
// not begin at the same place of a page, nor at multiples of a large power of
// two: what their owners use most would fall on the same lines of a cache.
class Stacks {
 public:
  static constexpr std::size_t kBytes = 272 * 1024;  // of each, guard included

  Stacks() = default;
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;
  ~Stacks();

  // Throws StartupError: the system has no room for them.
  void reserve(std::size_t count);

  std::byte* stack(std::size_t index) const;  // lowest usable byte
  std::size_t stack_bytes() const;
  uintptr_t begin() const { return reinterpret_cast<uintptr_t>(memory_); }
  std::size_t bytes() const { return bytes_; }
  // Whether the address lies in a guard page.
  bool is_guard(uintptr_t address) const;

 private:
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace evoke::metal::host
