// The device's copies of the host's buffers: one allocation per buffer, with
// the same bytes at the same offsets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/device.h"

namespace evoke::cuda {

// Bytes [begin, begin + bytes) of a buffer.
struct Range {
  std::size_t begin = 0;
  std::size_t bytes = 0;
  std::size_t end() const { return begin + bytes; }
  auto operator<=>(const Range&) const = default;
};

struct Mirror {
  std::byte* host = nullptr;
  std::size_t bytes = 0;
  bool writable = false;
  DevicePointer device = 0;
  // Inputs that are here, with the checksum of what was copied.
  std::map<Range, uint64_t> inputs;
  // What has to stay as kernels leave it, with the calls that use it.
  std::map<Range, int> lasting;

  DevicePointer at(std::size_t offset) const { return device + offset; }
};

class Mirrors {
 public:
  Mirrors(const DriverApi& driver, Stream stream)
      : driver_(driver), stream_(stream) {}
  ~Mirrors();
  Mirrors(const Mirrors&) = delete;
  Mirrors& operator=(const Mirrors&) = delete;

  // The buffer's mirror, allocated the first time. It stays where it is until
  // forget(). An error: no memory, with how much there is.
  Result<Mirror*> of(const HostBuffer& buffer);
  void forget(std::span<const std::byte> buffer);
  // Makes every byte of a writable one, but for what lasts, all ones. Queued
  // on the stream.
  Status wipe(const Mirror& mirror);
  // Copies, queued on the stream.
  Status bring(const Mirror& mirror, Range range);
  Status fetch(const Mirror& mirror, Range range);

 private:
  const DriverApi& driver_;
  Stream stream_;
  std::list<Mirror> mirrors_;  // addresses last
};

// The parts of [0, bytes) that lie in none of the ranges.
std::vector<Range> gaps_between(const std::map<Range, int>& ranges,
                                std::size_t bytes);
// Those that touch or overlap as one.
std::vector<Range> joined(const std::set<Range>& ranges);

}  // namespace evoke::cuda
