// One access to memory by a thread of a kernel, what it knows of the threads
// before it, and how findings about it are told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "evoke/devices/metal/host/finding.h"

namespace evoke::metal::host {

enum class Access { read, write, atomic };
std::string_view verb(Access kind);  // "reads"

// When the threads of a threadgroup or a simdgroup last met: moments of one
// clock that each barrier of the executor moves on. What was done at moment m
// is ordered before now if a fence came later than m.
struct Meetings {
  uint32_t barrier = 0;
  uint32_t device_fence = 0;
  uint32_t threadgroup_fence = 0;
};

// The thread that makes an access.
struct Accessor {
  uint16_t thread = 0;  // index in its threadgroup
  uint16_t simdgroup = 0;
  uint16_t lane = 0;
  uint32_t now = 0;
  const Meetings* group = nullptr;
  const Meetings* simd = nullptr;
};

// Where compiled code lies, and which line of the kernel file it came from.
class CodeMap {
 public:
  virtual ~CodeMap() = default;
  virtual uintptr_t base() const = 0;
  virtual int line_of(uint32_t offset) const = 0;  // 0: not known
  virtual bool is_constant(uintptr_t address, std::size_t bytes) const = 0;

  uint32_t offset_of(const void* code) const {
    return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(code) - base());
  }
  int line_at(const void* code) const { return line_of(offset_of(code)); }
};

// The threadgroup that is watched, and the latest finding in it.
class Report {
 public:
  // `moment`: of its start. All that is older belongs to another one.
  void begin(const CodeMap* code, uint32_t launch, uint32_t threadgroup,
             uint32_t moment);

  const CodeMap& code() const { return *code_; }
  uint32_t offset_of(const void* code) const {
    return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(code) - base_);
  }
  uint32_t launch() const { return launch_; }
  uint32_t threadgroup() const { return threadgroup_; }
  uint32_t begun() const { return begun_; }

  // `text` goes on after the name of the thread.
  const Finding* finding(const Accessor& who, FindingKind kind, int line,
                         const std::string& text);
  std::string where(uint32_t code) const;  // " at line 12", or nothing

 private:
  const CodeMap* code_ = nullptr;
  uintptr_t base_ = 0;
  uint32_t launch_ = 0;
  uint32_t threadgroup_ = 0;
  uint32_t begun_ = 0;
  Finding finding_;
};

// "thread 5 (lane 5 of simdgroup 0)"
std::string thread_name(std::size_t thread);

}  // namespace evoke::metal::host
