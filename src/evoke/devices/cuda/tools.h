// evoke's own small kernels (tools.cu) on one stream: a gate that holds the
// stream, checksums, and what makes caches and shared memory forget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"

namespace evoke::cuda {

extern const std::string_view kToolsPtx;

class Tools {
 public:
  static Result<std::unique_ptr<Tools>> open(const DriverApi& driver,
                                             const Gpu& gpu, Stream stream);
  ~Tools();
  Tools(const Tools&) = delete;
  Tools& operator=(const Tools&) = delete;

  // Queues a kernel that holds the stream until open_gate(), at the most for
  // some seconds.
  Status close_gate();
  void open_gate();
  // As evoke_checksums reads them.
  struct Bytes {
    DevicePointer data = 0;
    std::size_t bytes = 0;
  };
  // Waits for everything queued before; one number per range.
  Result<std::vector<uint64_t>> checksums(std::span<const Bytes> ranges);
  // Queues: the persisting part of L2 given up, twice its size read past it,
  // shared memory of every SM filled with ones.
  Status forget();
  // Queues: everything in `bytes` (multiples of 16) read once, by all SMs.
  Status read(Bytes bytes);
  // Queues on another stream: about half of the SMs are busy for so long.
  Status occupy(Stream stream, int64_t duration_ns);

 private:
  Tools(const DriverApi& driver, const Gpu& gpu, Stream stream)
      : driver_(driver), gpu_(gpu), stream_(stream) {}
  Result<void> prepare();
  Status checksums(std::span<const Bytes> ranges, std::span<uint64_t> sums);
  Status launch(Function function, unsigned blocks, unsigned threads,
                unsigned shared_bytes, Stream stream, void** parameters,
                unsigned rows = 1);

  const DriverApi& driver_;
  Gpu gpu_;
  Stream stream_;
  Module module_ = nullptr;
  Function hold_ = nullptr;
  Function checksums_ = nullptr;
  Function read_ = nullptr;
  Function scrub_ = nullptr;
  Function occupy_ = nullptr;
  volatile int* gate_ = nullptr;  // in memory that both sides see
  DevicePointer gate_device_ = 0;
  DevicePointer table_ = 0;  // of checksums: ranges, then sums
  DevicePointer flood_ = 0;  // 2 x L2
  std::size_t flood_bytes_ = 0;
};

}  // namespace evoke::cuda
