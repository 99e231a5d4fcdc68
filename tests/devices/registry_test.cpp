#include "evoke/devices/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke {
namespace {

using ::testing::HasSubstr;

TEST(Registry, OpensTheCpu) {
  DeviceOptions options;
  options.num_threads = 2;
  options.with_compiler = true;
  options.with_session = true;
  const auto device = open_device("cpu", options);
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ(device->info.kind, "cpu");
  EXPECT_THAT(device->info.name, HasSubstr("2 threads"));
  EXPECT_EQ(device->info.limits.num_sms, 2);
  EXPECT_EQ(device->info.limits.max_threads, 1);
  EXPECT_GE(device->info.limits.max_threadgroup_memory, 256 * 1024);
  EXPECT_GT(device->info.cache_bytes, 0);
  EXPECT_NE(device->compiler, nullptr);
  EXPECT_NE(device->session, nullptr);
}

TEST(Registry, GivesOnlyTheHalvesAskedFor) {
  const auto device = open_device("cpu", {});
  ASSERT_TRUE(device);
  EXPECT_EQ(device->compiler, nullptr);
  EXPECT_EQ(device->session, nullptr);
}

TEST(Registry, SaysWhatIsAbsent) {
  DeviceOptions options;
  options.with_session = true;
  const auto cuda = open_device("cuda:99", options);
  ASSERT_FALSE(cuda);
  EXPECT_EQ(cuda.error().kind, ErrorKind::absent);
  EXPECT_THAT(cuda.error().message, HasSubstr("GPU"));
  const auto device = open_device("cpux", {});
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().message, HasSubstr("did you mean 'cpu'"));
}

TEST(Registry, ProbesEveryKind) {
  const auto statuses = probe_devices();
  ASSERT_EQ(statuses.size(), 3u);
  EXPECT_EQ(statuses[0].kind, "cpu");
  EXPECT_TRUE(statuses[0].available) << statuses[0].description;
  EXPECT_EQ(statuses[1].kind, "cuda");
  EXPECT_EQ(statuses[2].kind, "metal");
}

#if defined(__linux__)
TEST(Registry, OpensMetalOnTheHostForChecksAlone) {
  const auto device = open_device("metal", {});
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ(device->info.kind, "metal");
  EXPECT_THAT(device->info.name, HasSubstr("checks only"));
  EXPECT_EQ(device->info.limits.max_threadgroup_memory, 32768);
}
#endif

}  // namespace
}  // namespace evoke
