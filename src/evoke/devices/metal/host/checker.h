// Watches the memory accesses of one threadgroup at a time: bounds, order
// between threads, and what was never written. Belongs to one thread of the
// system; the cells of device memory are shared and guarded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evoke/devices/metal/host/fiber.h"
#include "evoke/devices/metal/host/finding.h"
#include "evoke/devices/metal/host/kernel_abi.h"
#include "evoke/devices/metal/host/memory_map.h"

namespace evoke::metal::host {

// How often a threadgroup's or a simdgroup's threads met, in all and to order
// one kind of memory.
struct Epochs {
  uint32_t barriers = 0;
  uint32_t device_fences = 0;
  uint32_t threadgroup_fences = 0;
};

// The thread that makes an access.
struct Accessor {
  uint16_t thread = 0;  // index in its threadgroup
  uint16_t simdgroup = 0;
  uint16_t lane = 0;
  Epochs group;
  Epochs simd;
};

// Where compiled code lies, and which line of the kernel file it came from.
class CodeMap {
 public:
  virtual ~CodeMap() = default;
  virtual uint32_t offset_of(const void* code) const = 0;
  virtual int line_of(uint32_t offset) const = 0;  // 0: not known
  virtual bool is_constant(uintptr_t address, std::size_t bytes) const = 0;
};

class Checker {
 public:
  enum class Access { read, write, atomic };

  Checker(const Stacks& stacks, std::byte* threadgroup_memory,
          std::size_t threadgroup_bytes);
  ~Checker();
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  void begin_threadgroup(MemoryMap* map, const CodeMap* code, uint32_t launch,
                         uint32_t threadgroup);
  // Nothing of an abandoned threadgroup's stacks is left.
  void forget_stacks();
  // Memory of the executor's own, from which the shim reads.
  void allow(const void* data, std::size_t bytes);
  // A variable was given its place.
  void add_variable(const EvokeMetalVariable& variable, std::size_t offset);

  // nullptr: nothing is wrong.
  const Finding* access(const Accessor& who, uintptr_t address,
                        std::size_t bytes, Access kind, const void* code);
  const Finding* copy(const Accessor& who, uintptr_t to, uintptr_t from,
                      std::size_t bytes, const void* code);
  // The compiler lays out and leaves frames: value is ASan's shadow byte,
  // `shadow` the address of the first one at one byte per eight.
  void set_frame(uintptr_t shadow, std::size_t count, uint8_t value);

  // A read of threadgroup memory that no thread has written since; null: none.
  const Finding* pending() const;
  // The same of device memory, of all threadgroups so far.
  std::vector<Finding> take_pending();

  int64_t accesses() const { return accesses_; }

 private:
  struct Cell;
  struct Variable {
    const EvokeMetalVariable* declared = nullptr;
    std::size_t offset = 0;
  };
  // `text` goes on after the name of the thread.
  const Finding* report(const Accessor& who, FindingKind kind, int line,
                        std::string text);
  int line_of(const void* code) const;
  const Finding* private_access(const Accessor& who, uintptr_t address,
                                std::size_t bytes, Access kind,
                                const void* code);
  const Finding* group_access(const Accessor& who, uintptr_t address,
                              std::size_t bytes, Access kind, const void* code);
  const Finding* device_access(const Accessor& who, uintptr_t address,
                               std::size_t bytes, Access kind,
                               const void* code);
  const Finding* device_unit(const Accessor& who, Region& region,
                             uintptr_t address, Access kind, const void* code);
  const Finding* wild_access(const Accessor& who, uintptr_t address,
                             std::size_t bytes, Access kind, const void* code);
  std::string describe_private(uintptr_t address) const;
  std::string who_is(uint16_t thread) const;
  std::string where(uint32_t code) const;

  struct Allowed {
    uintptr_t begin = 0;
    std::size_t bytes = 0;
  };
  bool is_allowed(uintptr_t address) const;

  const Stacks& stacks_;
  std::vector<Allowed> allowed_;
  std::byte* memory_;
  std::size_t memory_bytes_;
  uint8_t* stack_shadow_ = nullptr;  // one byte per byte of the stacks
  // The frame being laid out, from the stacks' begin: where it starts, and
  // where its left red zone ends (0: none is being laid out).
  uintptr_t base_ = 0;
  uintptr_t frame_ = 0;
  MemoryMap* map_ = nullptr;
  const CodeMap* code_ = nullptr;
  Region* latest_ = nullptr;
  uint32_t launch_ = 0;
  uint32_t threadgroup_ = 0;
  uint32_t generation_ = 0;
  std::vector<Cell> cells_;  // one per byte of threadgroup memory
  std::vector<Variable> variables_;
  int64_t accesses_ = 0;
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  // Of a frame, by the compiler's description of it: arguments that the
  // caller wrote.
  const std::vector<Range>& written_by_caller(const char* description);

  std::map<const char*, std::vector<Range>> written_by_caller_;
  std::vector<Finding> pending_group_;   // at most one
  std::vector<Finding> pending_device_;  // at most one per threadgroup
  Finding finding_;
};

}  // namespace evoke::metal::host
