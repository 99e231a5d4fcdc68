#include "evoke/cli/device_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace evoke::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<DeviceStatus> two_gpus() {
  DeviceStatus cpu{"cpu", true, "a processor"};
  DeviceStatus cuda{"cuda", true, "GPUs"};
  cuda.members = {{"cuda:0", "the first"}, {"cuda:1", "the second"}};
  return {cpu, cuda};
}

std::vector<std::string> names(const std::string& asked) {
  const auto split = split_devices(asked, two_gpus());
  EXPECT_TRUE(split) << split.error().message;
  return split ? *split : std::vector<std::string>{};
}

std::string refusal(const std::string& asked,
                    const std::vector<DeviceStatus>& devices = two_gpus()) {
  const auto split = split_devices(asked, devices);
  EXPECT_FALSE(split) << asked;
  return split ? "" : split.error().message;
}

NamedDevice h200(const std::string& name, const std::string& id) {
  NamedDevice device;
  device.name = name;
  device.greeting.device_kind = "cuda";
  device.greeting.device_name = "NVIDIA H200, 132 SMs, 140 GiB, CUDA 13.0";
  device.greeting.device_id = id;
  device.greeting.features = {"sm_90a"};
  return device;
}

TEST(DeviceChoice, OneStaysAsItIs) {
  EXPECT_THAT(names("auto"), ElementsAre("auto"));
  EXPECT_THAT(names("cuda"), ElementsAre("cuda"));
  EXPECT_THAT(names("cuda:GPU-8f2a"), ElementsAre("cuda:GPU-8f2a"));
}

TEST(DeviceChoice, SeveralAreNamedOrAll) {
  EXPECT_THAT(names("cuda:1,cuda:GPU-8f2a"),
              ElementsAre("cuda:1", "cuda:GPU-8f2a"));
  EXPECT_THAT(names("cuda:all"), ElementsAre("cuda:0", "cuda:1"));
}

TEST(DeviceChoice, OnlyGpusCanBeSeveral) {
  for (const char* asked : {"cpu,cpu", "cuda:0,cpu", "metal,metal", "cuda:0,1",
                            "cuda:0,,cuda:1", "auto,cuda"}) {
    EXPECT_THAT(refusal(asked), HasSubstr("cuda:0,cuda:1")) << asked;
  }
  EXPECT_THAT(refusal("cuda:0,1"), HasSubstr("'1'"));
  EXPECT_THAT(refusal(","), HasSubstr("--device ,"));
}

TEST(DeviceChoice, AllOfNoneSaysWhy) {
  const std::vector<DeviceStatus> none = {{"cuda", false, "no driver here"}};
  EXPECT_THAT(refusal("cuda:all", none), HasSubstr("no driver here"));
}

TEST(DeviceChoice, CommandsOfOneDeviceRefuseAList) {
  for (const char* asked : {"cuda:0,cuda:1", "cuda:all", "cpu,cpu"}) {
    const auto chosen = choose_device(asked);
    ASSERT_FALSE(chosen);
    EXPECT_THAT(chosen.error().message, HasSubstr("one device")) << asked;
  }
}

TEST(DeviceChoice, OneGpuUnderTwoNamesIsRefused) {
  EXPECT_TRUE(check_alike({h200("cuda:0", "GPU-0"), h200("cuda:1", "GPU-1")}));
  const auto twice =
      check_alike({h200("cuda:0", "GPU-0"), h200("cuda:1", "GPU-1"),
                   h200("cuda:GPU-1", "GPU-1")});
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message,
              HasSubstr("cuda:1 and cuda:GPU-1 are one GPU (GPU-1)"));
}

TEST(DeviceChoice, GpusOfTwoKindsAreRefused) {
  NamedDevice other = h200("cuda:1", "GPU-1");
  other.greeting.device_name = "NVIDIA A100, 108 SMs, 40 GiB";
  auto mixed = check_alike({h200("cuda:0", "GPU-0"), other});
  ASSERT_FALSE(mixed);
  EXPECT_THAT(mixed.error().message, HasSubstr("cuda:1 is NVIDIA A100"));
  // A part of one is another machine.
  other = h200("cuda:1", "GPU-1");
  other.greeting.limits.num_sms = 60;
  EXPECT_FALSE(check_alike({h200("cuda:0", "GPU-0"), other}));
  // How large the driver says its memory is and which driver it is says
  // nothing of its speed.
  other = h200("cuda:1", "GPU-1");
  other.greeting.device_name = "NVIDIA H200, 132 SMs, 139 GiB, CUDA 13.1";
  EXPECT_TRUE(check_alike({h200("cuda:0", "GPU-0"), other}));
}

TEST(DeviceChoice, AResumedRunStaysOnItsKind) {
  const Json recorded = {{"kind", "cuda"},
                         {"name", "NVIDIA H200, 132 SMs, 140 GiB, CUDA 12.8"}};
  NamedDevice here = h200("cuda:1", "GPU-7");
  EXPECT_TRUE(check_same_kind(recorded, here));
  here.greeting.device_name = "NVIDIA B200, 148 SMs";
  const auto other = check_same_kind(recorded, here);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("measured on NVIDIA H200"));
  EXPECT_THAT(other.error().message, HasSubstr("cuda:1 is NVIDIA B200"));
  NamedDevice cpu{"cpu", {}};
  cpu.greeting.device_kind = "cpu";
  cpu.greeting.device_name = "one processor, 2 threads";
  EXPECT_FALSE(check_same_kind(recorded, cpu));
  EXPECT_TRUE(
      check_same_kind({{"kind", "cpu"}, {"name", "another processor"}}, cpu));
}

}  // namespace
}  // namespace evoke::cli
