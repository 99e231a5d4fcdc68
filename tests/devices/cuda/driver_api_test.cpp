// Our declarations against NVIDIA's header, where that is installed.
#include "evoke/devices/cuda/driver_api.h"

#include <gtest/gtest.h>

#if __has_include(<cuda.h>)
#include <cuda.h>
#endif

namespace evoke::cuda {
namespace {

TEST(DriverApi, IsTheHeadersOwn) {
#if __has_include(<cuda.h>) && defined(CUDA_VERSION) && CUDA_VERSION >= 12000
  EXPECT_EQ(kErrorNotReady, CUDA_ERROR_NOT_READY);
  EXPECT_EQ(kErrorIllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(kErrorLaunchFailed, CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(kErrorMisalignedAddress, CUDA_ERROR_MISALIGNED_ADDRESS);
  EXPECT_EQ(kErrorEccUncorrectable, CUDA_ERROR_ECC_UNCORRECTABLE);
  EXPECT_EQ(kErrorNvlinkUncorrectable, CUDA_ERROR_NVLINK_UNCORRECTABLE);
  EXPECT_EQ(kErrorHardwareStack, CUDA_ERROR_HARDWARE_STACK_ERROR);
  EXPECT_EQ(kErrorInvalidPc, CUDA_ERROR_INVALID_PC);
  EXPECT_EQ(kErrorAssert, CUDA_ERROR_ASSERT);
  const auto same = [](auto ours, auto theirs) {
    EXPECT_EQ(static_cast<int>(ours), static_cast<int>(theirs));
  };
  same(DeviceAttribute::num_sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  same(DeviceAttribute::l2_bytes, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  same(DeviceAttribute::major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  same(DeviceAttribute::minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  same(DeviceAttribute::shared_bytes_per_sm,
       CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  same(DeviceAttribute::registers_per_sm,
       CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
  same(DeviceAttribute::shared_bytes_per_block,
       CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  same(DeviceAttribute::max_blocks_per_sm,
       CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR);
  same(DeviceAttribute::reserved_shared_bytes,
       CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK);
  same(DeviceAttribute::max_threads_per_sm,
       CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
  same(DeviceAttribute::cooperative_launch,
       CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH);
  same(DeviceAttribute::cluster_launch, CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH);
  same(FunctionAttribute::max_threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  same(FunctionAttribute::registers, CU_FUNC_ATTRIBUTE_NUM_REGS);
  same(FunctionAttribute::max_dynamic_shared_bytes,
       CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  same(FunctionAttribute::nonportable_cluster,
       CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
  same(LaunchAttributeId::cooperative, CU_LAUNCH_ATTRIBUTE_COOPERATIVE);
  same(LaunchAttributeId::cluster, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
  same(LaunchAttributeId::programmatic_stream_serialization,
       CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
  same(TensorMapType::bfloat16, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
  same(TensorMapType::float16, CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
  same(TensorMapType::float32, CU_TENSOR_MAP_DATA_TYPE_FLOAT32);
  same(TensorMapType::int32, CU_TENSOR_MAP_DATA_TYPE_INT32);
  same(TensorMapType::uint32, CU_TENSOR_MAP_DATA_TYPE_UINT32);
  same(3, CU_TENSOR_MAP_SWIZZLE_128B);
  same(3, CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
  same(kLimitPersistingL2, CU_LIMIT_PERSISTING_L2_CACHE_SIZE);
  same(kCaptureThreadLocal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  same(kHostAllocMapped, CU_MEMHOSTALLOC_DEVICEMAP);
  same(kStreamNonBlocking, CU_STREAM_NON_BLOCKING);
  EXPECT_EQ(sizeof(LaunchConfig), sizeof(CUlaunchConfig));
  EXPECT_EQ(offsetof(LaunchConfig, attributes),
            offsetof(CUlaunchConfig, attrs));
  EXPECT_EQ(sizeof(LaunchAttribute), sizeof(CUlaunchAttribute));
  EXPECT_EQ(offsetof(LaunchAttribute, value),
            offsetof(CUlaunchAttribute, value));
  EXPECT_EQ(sizeof(KernelNode), sizeof(CUDA_KERNEL_NODE_PARAMS_v2));
  EXPECT_EQ(offsetof(KernelNode, parameters),
            offsetof(CUDA_KERNEL_NODE_PARAMS_v2, kernelParams));
  EXPECT_EQ(sizeof(MemsetNode), sizeof(CUDA_MEMSET_NODE_PARAMS));
  EXPECT_EQ(offsetof(MemsetNode, width),
            offsetof(CUDA_MEMSET_NODE_PARAMS, width));
  EXPECT_EQ(sizeof(TensorMapWords), sizeof(CUtensorMap));
  EXPECT_GE(alignof(TensorMapWords), alignof(CUtensorMap));
#else
  GTEST_SKIP() << "no cuda.h of CUDA 12 or newer here";
#endif
}

TEST(DriverApi, AnAbsentDriverIsSaidWithAWayOut) {
  const auto driver = load_driver();
  if (driver) GTEST_SKIP() << "there is a driver here";
  EXPECT_EQ(driver.error().kind, ErrorKind::absent);
  EXPECT_NE(driver.error().message.find("install NVIDIA's driver"),
            std::string::npos);
}

// A library that opens and lacks what is newer than it.
TEST(DriverApi, AnOldDriverIsSaidWithAWayOut) {
  const char* const libraries[] = {"libno_such_driver.so.1", "libc.so.6"};
  const auto driver = load_driver(libraries);
  ASSERT_FALSE(driver);
  EXPECT_EQ(driver.error().kind, ErrorKind::absent);
  EXPECT_NE(driver.error().message.find("the CUDA driver is too old"),
            std::string::npos);
  EXPECT_NE(driver.error().message.find("525"), std::string::npos);
}

}  // namespace
}  // namespace evoke::cuda
