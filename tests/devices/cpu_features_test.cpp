#include "evoke/devices/cpu/cpu_features.h"

#include <gtest/gtest.h>

namespace evoke::cpu {
namespace {

TEST(CpuFeatures, AgreeWithTheBuild) {
#if defined(__x86_64__)
  EXPECT_EQ(has_feature("avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(has_feature("fma"), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(has_feature("avx512"), __builtin_cpu_supports("avx512bw") != 0 &&
                                       __builtin_cpu_supports("avx512vl") != 0);
#endif
  EXPECT_FALSE(has_feature("mmx2"));
}

TEST(CpuFeatures, SizesAndCoresArePlausible) {
  EXPECT_FALSE(cpu_name().empty());
  const CacheSizes sizes = cache_sizes();
  EXPECT_GE(sizes.l2_bytes, 64 * 1024);
  EXPECT_GE(sizes.last_level_bytes, sizes.l2_bytes);
  EXPECT_FALSE(allowed_cores().empty());
}

}  // namespace
}  // namespace evoke::cpu
