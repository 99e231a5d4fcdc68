// Watches the threadgroup memory of one threadgroup: bounds of variables,
// order between threads, and what no thread has written.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "evoke/devices/metal/host/access.h"
#include "evoke/devices/metal/host/kernel_abi.h"

namespace evoke::metal::host {

class GroupWatch {
 public:
  GroupWatch(const std::byte* memory, std::size_t bytes, Report& report);

  void begin_threadgroup();
  // A variable was given its place: a multiple of 16 bytes, with room behind.
  void add_variable(const EvokeMetalVariable& variable, std::size_t offset);

  bool owns(uintptr_t address) const { return address - memory_ < bytes_; }
  // nullptr: nothing is wrong.
  const Finding* access(const Accessor& who, uintptr_t address,
                        std::size_t bytes, Access kind, const void* code);
  // A read of what no thread has written since; null: none.
  const Finding* pending() const {
    return pending_.empty() ? nullptr : &pending_.front();
  }

 private:
  // Who touched a unit of a variable last. A unit is the largest power of two
  // that its scalars are whole multiples of.
  struct Cell {
    uint32_t written = 0;  // moments; those before the threadgroup's: never
    uint32_t read = 0;
    uint32_t write_code = 0;
    uint32_t read_code = 0;
    uint32_t reader_simdgroups = 0;  // a bit each, since the latest fence
    uint32_t reader_lanes = 0;       // of the latest reader's simdgroup
    uint16_t writer = 0;
    uint16_t reader = 0;
    bool write_atomic = false;
  };
  struct Variable {
    const EvokeMetalVariable* declared = nullptr;
    std::size_t offset = 0;
    std::size_t first_cell = 0;
    unsigned unit_shift = 0;
  };

  const Variable* find(std::size_t offset, std::size_t bytes) const;
  const Finding* access_cell(const Accessor& who, const Variable& variable,
                             std::size_t index, Access kind, const void* code);
  const Finding* out_of_bounds(const Accessor& who, std::size_t offset,
                               std::size_t bytes, Access kind,
                               const void* code);
  const Finding* after_write(const Accessor& who, const Variable& variable,
                             std::size_t index, Access kind, const void* code);
  const Finding* after_read(const Accessor& who, const Variable& variable,
                            std::size_t index, Access kind, const void* code,
                            bool others);
  static std::string element(const Variable& variable, std::size_t index);

  uintptr_t memory_;
  std::size_t bytes_;
  Report& report_;
  std::vector<Cell> cells_;
  std::size_t cells_used_ = 0;
  std::vector<Variable> variables_;
  std::vector<uint16_t> owners_;  // of each 16 bytes: index + 1, or 0
  std::size_t blocks_used_ = 0;   // all behind these are 0
  std::vector<Finding> pending_;  // at most one
};

}  // namespace evoke::metal::host
