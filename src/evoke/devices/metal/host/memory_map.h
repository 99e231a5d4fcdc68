// The memory that a launch may reach, byte for byte: tensors without their
// guard bands and the gaps between their rows, and small arguments.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "evoke/core/tensor.h"

namespace evoke::metal::host {

// Who touched a unit of device memory last in the running launch. A unit is
// an element of the tensor. Moments are of the executor that ran the
// threadgroup, so they mean nothing to other threadgroups.
struct DeviceCell {
  // All of one launch; an older launch's are no longer of interest.
  uint32_t write_launch = 0;
  uint32_t read_launch = 0;
  uint32_t writer_group = 0;  // linear threadgroup
  uint32_t reader_group = 0;  // kManyGroups: several
  uint32_t write_moment = 0, read_moment = 0;
  uint32_t write_code = 0, read_code = 0;  // offsets into the object
  uint32_t reader_simdgroups = 0;          // a bit each, since the latest fence
  uint32_t reader_lanes = 0;               // of the latest reader's simdgroup
  uint16_t writer_thread = 0;
  uint16_t reader_thread = 0;
  bool write_atomic = false;
  bool written = false;  // in any launch of the call

  static constexpr uint32_t kManyGroups = UINT32_MAX;
};

struct Region {
  enum class Kind { input, output, scratch, argument };
  Kind kind = Kind::argument;
  std::string name;
  uintptr_t begin = 0;  // of its allocation: guard bands included
  uintptr_t end = 0;
  TensorLayout layout;   // not for arguments
  uintptr_t origin = 0;  // of element 0
  bool zeroed = false;   // may be read before it is written
  unsigned unit_shift = 0;

  // How many bytes from `address` on belong to the region; 0: none.
  std::size_t valid_bytes(uintptr_t address) const;
  // "element (0, 3, 128, 0)" or "128 bytes past its end".
  std::string place(uintptr_t address) const;
  DeviceCell* cell(uintptr_t address) {
    return cells.data() + ((address - begin) >> unit_shift);
  }

  // Per 16 bytes of the allocation, how many belong to elements.
  std::vector<uint8_t> valid;
  std::vector<DeviceCell> cells;  // of what is written
};

class MemoryMap {
 public:
  // Throws nothing; the tensor must outlive the map.
  void add_tensor(Region::Kind kind, std::byte* origin,
                  const TensorLayout& layout, bool zeroed);
  void add_argument(std::string name, const void* data, std::size_t bytes);
  void seal();  // no more regions

  Region* find(uintptr_t address);
  // The region that ends or begins closest to the address.
  const Region* nearest(uintptr_t address) const;
  std::vector<Region>& regions() { return regions_; }
  void forget_writes();

 private:
  std::vector<Region> regions_;  // sorted by begin once sealed
};

}  // namespace evoke::metal::host
