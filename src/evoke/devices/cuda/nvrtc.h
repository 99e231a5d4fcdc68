// NVRTC, NVIDIA's run-time compiler, opened where it is found.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::cuda {

using NvrtcProgram = struct NvrtcProgramTag*;

// nvrtcResult 0 is success. X(member, exported name, parameters)
#define EVOKE_NVRTC_FUNCTIONS(X)                                             \
  X(version, "nvrtcVersion", (int* major, int* minor))                       \
  X(create, "nvrtcCreateProgram",                                            \
    (NvrtcProgram * program, const char* source, const char* name,           \
     int num_headers, const char* const* headers,                            \
     const char* const* include_names))                                      \
  X(destroy, "nvrtcDestroyProgram", (NvrtcProgram * program))                \
  X(compile, "nvrtcCompileProgram",                                          \
    (NvrtcProgram program, int num_options, const char* const* options))     \
  X(log_size, "nvrtcGetProgramLogSize",                                      \
    (NvrtcProgram program, std::size_t* bytes))                              \
  X(log, "nvrtcGetProgramLog", (NvrtcProgram program, char* log))            \
  X(ptx_size, "nvrtcGetPTXSize", (NvrtcProgram program, std::size_t* bytes)) \
  X(ptx, "nvrtcGetPTX", (NvrtcProgram program, char* ptx))                   \
  X(cubin_size, "nvrtcGetCUBINSize",                                         \
    (NvrtcProgram program, std::size_t* bytes))                              \
  X(cubin, "nvrtcGetCUBIN", (NvrtcProgram program, char* cubin))

// nvrtcResult values that are no verdict on the text.
inline constexpr int kNvrtcOutOfMemory = 1;
inline constexpr int kNvrtcInvalidOption = 5;
inline constexpr int kNvrtcCompilation = 6;

struct Nvrtc {
#define EVOKE_NVRTC_DECLARE(member, name, parameters) \
  int(*member) parameters = nullptr;
  EVOKE_NVRTC_FUNCTIONS(EVOKE_NVRTC_DECLARE)
#undef EVOKE_NVRTC_DECLARE
  std::string path;  // the library it came from
  // With cuda_bf16.h and its kind; empty: none was found beside it.
  std::string include_folder;
  int major = 0;
  int minor = 0;
};

// Where it is looked for, in this order: EVOKE_NVRTC (a library or its
// folder); CUDA_HOME, CUDA_PATH; /usr/local/cuda; the loader's own folders;
// NVIDIA's wheels (nvidia/cuda_nvrtc, nvidia/cu13) in site-packages of
// VIRTUAL_ENV, of a .venv beside or above this program, and of the system.
std::vector<std::string> nvrtc_folders();
// `absent`: none was found, or EVOKE_NVRTC names none; says what to do.
Result<std::shared_ptr<const Nvrtc>> load_nvrtc();

}  // namespace evoke::cuda
