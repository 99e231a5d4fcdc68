// The part of the CUDA driver's interface that evoke calls, and its table of
// functions, filled from the driver's library at run time. Declared here so
// that the program builds on machines without a toolkit; names and values are
// the stable ABI of cuda.h (driver_api_test.cpp compares them where that
// header is at hand).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "evoke/base/error.h"

namespace evoke::cuda {

// CUresult. Those that decide something; others go through error_text().
enum : int {
  kSuccess = 0,
  kErrorNoDevice = 100,
  kErrorInvalidDevice = 101,
  kErrorEccUncorrectable = 214,
  kErrorNvlinkUncorrectable = 220,
  kErrorNotReady = 600,
  kErrorIllegalAddress = 700,
  kErrorLaunchTimeout = 702,
  kErrorAssert = 710,
  kErrorHardwareStack = 714,
  kErrorIllegalInstruction = 715,
  kErrorMisalignedAddress = 716,
  kErrorInvalidAddressSpace = 717,
  kErrorInvalidPc = 718,
  kErrorLaunchFailed = 719,
};
using Status = int;

using DeviceNumber = int;                  // CUdevice
using DevicePointer = unsigned long long;  // CUdeviceptr
using Context = struct ContextTag*;
using Module = struct ModuleTag*;
using Function = struct FunctionTag*;
using Stream = struct StreamTag*;
using Event = struct EventTag*;
using Graph = struct GraphTag*;
using GraphExec = struct GraphExecTag*;
using GraphNode = struct GraphNodeTag*;

struct Uuid {
  unsigned char bytes[16];
};

// CUdevice_attribute
enum class DeviceAttribute : int {
  max_grid_y = 6,
  warp_size = 10,
  clock_khz = 13,
  num_sms = 16,
  l2_bytes = 38,
  max_threads_per_sm = 39,
  major = 75,
  minor = 76,
  shared_bytes_per_sm = 81,
  registers_per_sm = 82,
  cooperative_launch = 95,
  shared_bytes_per_block = 97,  // with opt-in
  max_blocks_per_sm = 106,
  reserved_shared_bytes = 111,
  cluster_launch = 120,
};

// CUfunction_attribute
enum class FunctionAttribute : int {
  max_threads = 0,
  static_shared_bytes = 1,
  local_bytes = 3,
  registers = 4,
  max_dynamic_shared_bytes = 8,
  nonportable_cluster = 14,
};

// CUlaunchAttribute and CUlaunchConfig
enum class LaunchAttributeId : int {
  cooperative = 2,
  cluster = 4,
  programmatic_stream_serialization = 6,
};
union LaunchAttributeValue {
  char pad[64];
  int cooperative;
  struct {
    unsigned int x, y, z;
  } cluster;
  int programmatic_stream_serialization;
};
struct LaunchAttribute {
  LaunchAttributeId id;
  char pad[4];
  LaunchAttributeValue value;
};
struct LaunchConfig {
  unsigned int grid[3];
  unsigned int block[3];
  unsigned int shared_bytes;
  Stream stream;
  LaunchAttribute* attributes;
  unsigned int num_attributes;
};

// CUDA_KERNEL_NODE_PARAMS_v2
struct KernelNode {
  Function function;
  unsigned int grid[3];
  unsigned int block[3];
  unsigned int shared_bytes;
  void** parameters;
  void** extra;
  void* kernel;  // where function is null
  Context context;
};
// CUDA_MEMSET_NODE_PARAMS
struct MemsetNode {
  DevicePointer data;
  std::size_t pitch;
  unsigned int value;
  unsigned int element_bytes;
  std::size_t width;
  std::size_t height;
};

// CUtensorMap and the enums of cuTensorMapEncodeTiled
struct alignas(128) TensorMapWords {
  uint64_t words[16];
};
enum class TensorMapType : int {
  uint32 = 2,
  int32 = 3,
  float16 = 6,
  float32 = 7,
  bfloat16 = 9,
};

enum : unsigned {
  kStreamNonBlocking = 1,    // CU_STREAM_NON_BLOCKING
  kEventDefault = 0,         // with timing
  kHostAllocMapped = 2,      // CU_MEMHOSTALLOC_DEVICEMAP
  kLimitPersistingL2 = 0x6,  // CU_LIMIT_PERSISTING_L2_CACHE_SIZE
  kCaptureThreadLocal = 1,   // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
};

// X(member, exported name, parameters): every function returns a CUresult.
#define EVOKE_CUDA_DRIVER_FUNCTIONS(X)                                         \
  X(init, "cuInit", (unsigned flags))                                          \
  X(driver_version, "cuDriverGetVersion", (int* version))                      \
  X(error_name, "cuGetErrorName", (Status status, const char** name))          \
  X(error_string, "cuGetErrorString", (Status status, const char** text))      \
  X(device_count, "cuDeviceGetCount", (int* count))                            \
  X(device_get, "cuDeviceGet", (DeviceNumber * device, int ordinal))           \
  X(device_name, "cuDeviceGetName",                                            \
    (char* name, int length, DeviceNumber device))                             \
  X(device_uuid, "cuDeviceGetUuid_v2", (Uuid * uuid, DeviceNumber device))     \
  X(device_attribute, "cuDeviceGetAttribute",                                  \
    (int* value, DeviceAttribute attribute, DeviceNumber device))              \
  X(device_bytes, "cuDeviceTotalMem_v2",                                       \
    (std::size_t* bytes, DeviceNumber device))                                 \
  X(context_retain, "cuDevicePrimaryCtxRetain",                                \
    (Context * context, DeviceNumber device))                                  \
  X(context_release, "cuDevicePrimaryCtxRelease_v2", (DeviceNumber device))    \
  X(context_set, "cuCtxSetCurrent", (Context context))                         \
  X(context_set_limit, "cuCtxSetLimit", (int limit, std::size_t value))        \
  X(reset_persisting_l2, "cuCtxResetPersistingL2Cache", ())                    \
  X(module_load, "cuModuleLoadData", (Module * module, const void* image))     \
  X(module_unload, "cuModuleUnload", (Module module))                          \
  X(module_function, "cuModuleGetFunction",                                    \
    (Function * function, Module module, const char* name))                    \
  X(function_attribute, "cuFuncGetAttribute",                                  \
    (int* value, FunctionAttribute attribute, Function function))              \
  X(function_set_attribute, "cuFuncSetAttribute",                              \
    (Function function, FunctionAttribute attribute, int value))               \
  X(occupancy, "cuOccupancyMaxActiveBlocksPerMultiprocessor",                  \
    (int* blocks, Function function, int threads, std::size_t shared_bytes))   \
  X(occupancy_clusters, "cuOccupancyMaxActiveClusters",                        \
    (int* clusters, Function function, const LaunchConfig* config))            \
  X(memory_allocate, "cuMemAlloc_v2",                                          \
    (DevicePointer * pointer, std::size_t bytes))                              \
  X(memory_free, "cuMemFree_v2", (DevicePointer pointer))                      \
  X(memory_info, "cuMemGetInfo_v2",                                            \
    (std::size_t* free_bytes, std::size_t* total_bytes))                       \
  X(copy_to_device, "cuMemcpyHtoDAsync_v2",                                    \
    (DevicePointer to, const void* from, std::size_t bytes, Stream stream))    \
  X(copy_to_host, "cuMemcpyDtoHAsync_v2",                                      \
    (void* to, DevicePointer from, std::size_t bytes, Stream stream))          \
  X(fill_bytes, "cuMemsetD8Async",                                             \
    (DevicePointer to, unsigned char value, std::size_t bytes, Stream stream)) \
  X(host_allocate, "cuMemHostAlloc",                                           \
    (void** pointer, std::size_t bytes, unsigned flags))                       \
  X(host_free, "cuMemFreeHost", (void* pointer))                               \
  X(host_device_pointer, "cuMemHostGetDevicePointer_v2",                       \
    (DevicePointer * pointer, void* host, unsigned flags))                     \
  X(stream_create, "cuStreamCreate", (Stream * stream, unsigned flags))        \
  X(stream_destroy, "cuStreamDestroy_v2", (Stream stream))                     \
  X(stream_synchronize, "cuStreamSynchronize", (Stream stream))                \
  X(stream_begin_capture, "cuStreamBeginCapture_v2",                           \
    (Stream stream, int mode))                                                 \
  X(stream_end_capture, "cuStreamEndCapture", (Stream stream, Graph * graph))  \
  X(event_create, "cuEventCreate", (Event * event, unsigned flags))            \
  X(event_destroy, "cuEventDestroy_v2", (Event event))                         \
  X(event_record, "cuEventRecord", (Event event, Stream stream))               \
  X(event_query, "cuEventQuery", (Event event))                                \
  X(event_elapsed, "cuEventElapsedTime", (float* ms, Event start, Event end))  \
  X(graph_instantiate, "cuGraphInstantiateWithFlags",                          \
    (GraphExec * exec, Graph graph, unsigned long long flags))                 \
  X(graph_upload, "cuGraphUpload", (GraphExec exec, Stream stream))            \
  X(graph_launch, "cuGraphLaunch", (GraphExec exec, Stream stream))            \
  X(graph_exec_destroy, "cuGraphExecDestroy", (GraphExec exec))                \
  X(graph_create, "cuGraphCreate", (Graph * graph, unsigned flags))            \
  X(graph_destroy, "cuGraphDestroy", (Graph graph))                            \
  X(graph_add_kernel, "cuGraphAddKernelNode_v2",                               \
    (GraphNode * node, Graph graph, const GraphNode* after,                    \
     std::size_t num_after, const KernelNode* kernel))                         \
  X(graph_add_memset, "cuGraphAddMemsetNode",                                  \
    (GraphNode * node, Graph graph, const GraphNode* after,                    \
     std::size_t num_after, const MemsetNode* memset, Context context))        \
  X(graph_set_kernel, "cuGraphKernelNodeSetParams_v2",                         \
    (GraphNode node, const KernelNode* kernel))                                \
  X(graph_set_attribute, "cuGraphKernelNodeSetAttribute",                      \
    (GraphNode node, LaunchAttributeId id, const LaunchAttributeValue* value)) \
  X(launch, "cuLaunchKernelEx",                                                \
    (const LaunchConfig* config, Function function, void** parameters,         \
     void** extra))                                                            \
  X(tensor_map_encode, "cuTensorMapEncodeTiled",                               \
    (TensorMapWords * map, TensorMapType type, uint32_t rank,                  \
     DevicePointer address, const uint64_t* extents,                           \
     const uint64_t* byte_strides, const uint32_t* box,                        \
     const uint32_t* element_strides, int interleave, int swizzle,             \
     int l2_promotion, int out_of_bounds_fill))                                \
  X(tensor_map_set_address, "cuTensorMapReplaceAddress",                       \
    (TensorMapWords * map, void* address))

struct DriverApi {
#define EVOKE_CUDA_DECLARE(member, name, parameters) \
  Status(*member) parameters = nullptr;
  EVOKE_CUDA_DRIVER_FUNCTIONS(EVOKE_CUDA_DECLARE)
#undef EVOKE_CUDA_DECLARE

  // "an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS)"
  std::string error_text(Status status) const;
};

// The driver's own library, never unloaded. `absent`: there is none, or it is
// too old to have every function; the message says which and what to do.
Result<std::shared_ptr<const DriverApi>> load_driver();
// The same from the first of these files that opens.
Result<std::shared_ptr<const DriverApi>> load_driver(
    std::span<const char* const> libraries);

}  // namespace evoke::cuda
