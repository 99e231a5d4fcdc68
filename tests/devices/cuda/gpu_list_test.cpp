// Which GPU is meant, against a driver that is not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "evoke/devices/cuda/gpu.h"
#include "evoke/devices/cuda/gpu_probe.h"
#include "evoke/devices/registry.h"
#include "tests/devices/cuda/fake_gpu.h"

namespace evoke::cuda {
namespace {

using testing::FakeGpu;
using ::testing::HasSubstr;

TEST(Gpus, AreNamedByIndexOrUuid) {
  FakeGpu fake;
  fake.num_gpus = 3;
  const auto first = find_gpu(*fake.api(), "");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->index, 0);
  EXPECT_EQ(first->architecture(), "sm_90a");
  EXPECT_EQ(first->limits.num_sms, 132);
  EXPECT_THAT(first->uuid, HasSubstr("GPU-00112233-4455-6677-8899-"));
  const auto second = find_gpu(*fake.api(), "1");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->index, 1);
  EXPECT_EQ(find_gpu(*fake.api(), second->uuid)->index, 1);
  EXPECT_EQ(find_gpu(*fake.api(), "gpu-02")->index, 2);
}

TEST(Gpus, AreAllListedUnderNamesThatFindThem) {
  FakeGpu fake;
  fake.num_gpus = 2;
  const auto gpus = list_gpus(*fake.api());
  ASSERT_TRUE(gpus) << gpus.error().message;
  const auto members = members_of(*gpus);
  ASSERT_EQ(members.size(), 2u);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::string& name = members[i].name;
    const auto found = find_gpu(*fake.api(), name.substr(name.find(':') + 1));
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->uuid, (*gpus)[i].uuid);
    EXPECT_THAT(members[i].description, HasSubstr(found->uuid));
  }
  EXPECT_NE(gpus->front().uuid, gpus->back().uuid);
  EXPECT_THAT(find_gpu(*fake.api(), "2").error().message,
              HasSubstr("no GPU '2'; there are 2: 0 (Fake"));
}

TEST(Gpus, ThatAreAbsentAreSaidWithThoseThatAreThere) {
  FakeGpu fake;
  const auto missing = find_gpu(*fake.api(), "4");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
  EXPECT_THAT(missing.error().message,
              HasSubstr("no GPU '4'; there is 1: 0 (Fake"));
  fake.num_gpus = 0;
  const auto none = find_gpu(*fake.api(), "");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("CUDA_VISIBLE_DEVICES"));
}

TEST(Gpus, AnAssumedOneServesToCompile) {
  const Gpu assumed = assumed_gpu();
  EXPECT_EQ(assumed.architecture(), "sm_90a");
  EXPECT_EQ(assumed.limits.max_threadgroup_memory, 232448);
  EXPECT_TRUE(assumed.info().own_memory);
}

TEST(Gpus, AProcessCanBeMadeToSeeOne) {
  const char* const before = std::getenv("CUDA_VISIBLE_DEVICES");
  const std::string kept = before != nullptr ? before : "";
  const auto shown = [] {
    const char* const now = std::getenv("CUDA_VISIBLE_DEVICES");
    return std::string(now != nullptr ? now : "");
  };
  for (const char* name : {"cpu", "cuda", "cuda:1", "metal:4.0"}) {
    show_only_device(name);
    EXPECT_EQ(shown(), kept) << name;
  }
  show_only_device("cuda:GPU-8f2a");
  EXPECT_EQ(shown(), "GPU-8f2a");
  if (before != nullptr) {
    ::setenv("CUDA_VISIBLE_DEVICES", kept.c_str(), 1);
  } else {
    ::unsetenv("CUDA_VISIBLE_DEVICES");
  }
}

TEST(Gpus, OtherKindsHaveOneOnly) { EXPECT_FALSE(open_device("cdua:1", {})); }

TEST(GpuProbe, TextKeepsEveryField) {
  Gpu gpu = assumed_gpu();
  gpu.index = 3;
  gpu.uuid = "GPU-8f2a";
  gpu.minor = 1;
  gpu.sm.threads = 1536;
  const auto again = gpu_from_text(to_text(gpu));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_text(*again), to_text(gpu));
  EXPECT_EQ(again->uuid, "GPU-8f2a");
  EXPECT_EQ(again->sm.threads, 1536);
}

TEST(GpuProbe, NonsenseIsAnError) {
  EXPECT_EQ(gpu_from_text("").error().kind, ErrorKind::failed);
  EXPECT_EQ(gpu_from_text("{}").error().kind, ErrorKind::failed);
}

TEST(GpuProbe, AsksInAProcessOfItsOwn) {
  const auto driver = load_driver();
  const Result<Gpu> here =
      driver ? find_gpu(**driver, "") : Result<Gpu>(absent("no driver"));
  const auto apart = find_gpu_apart("");
  ASSERT_EQ(here.has_value(), apart.has_value());
  if (here) {
    EXPECT_EQ(to_text(*here), to_text(*apart));
  } else {
    EXPECT_EQ(apart.error().kind, ErrorKind::absent);
  }
}

}  // namespace
}  // namespace evoke::cuda
