// One run of NVRTC in a process of its own: a text that makes it loop, swell
// or crash costs that process and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/cuda/nvrtc.h"

namespace evoke::cuda {

struct NvrtcRequest {
  std::string source;
  std::string name;  // of the source, in diagnostics
  std::vector<std::string> options;
  struct Header {
    const char* name;
    const char* text;
  };
  std::vector<Header> headers;  // found by #include "name"
};

struct NvrtcReply {
  int status = 0;  // nvrtcResult
  std::string log;
  std::string ptx;               // when status is 0
  std::vector<std::byte> cubin;  //
};

struct NvrtcLimits {
  int64_t time_ms = 10'000;
  int64_t memory_bytes = int64_t{4} << 30;
};

// Here, without limits.
NvrtcReply compile_here(const Nvrtc& nvrtc, const NvrtcRequest& request);
// In a child. `timed_out`: a limit of time or memory was reached; `failed`:
// the compiler crashed, or there could be no child.
Result<NvrtcReply> compile_apart(const Nvrtc& nvrtc,
                                 const NvrtcRequest& request,
                                 const NvrtcLimits& limits);

}  // namespace evoke::cuda
