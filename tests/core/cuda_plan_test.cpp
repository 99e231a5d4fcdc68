// What a plan of the cuda dialect may say beyond the others: parsed, checked,
// printed, resolved.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_bounds.h"
#include "evoke/core/launch_plan.h"
#include "tests/core/example_kernel.h"

namespace evoke {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kPlan = R"plan(
problem = "attention"

[parameters]
tile_kv = { value = 64, choices = [64, 128] }
warps = { value = 4, choices = [4, 8] }

[scratch]
part = { type = "float32", shape = ["B", "Hq", "D"] }

[tensor_map.key_map]
tensor = "key"
box = [64, "tile_kv", 1, 1]
swizzle = 128
[tensor_map.merged_map]
tensor = "query"
order = [3, [1, 2], 0]
box = [32, 8, 1]
element_strides = [1, 2, 1]
swizzle = "tile_kv == 64 ? 64 : 0"
l2_promotion = 256

[[variant]]
name = "all"
[[variant.launch]]
kernel = "first"
reads = ["query", "key", "value"]
writes = ["part"]
tensor_maps = ["key_map", "merged_map"]
threadgroups = ["2 * Hq", "B"]
threads = ["warps * 32"]
cluster = [2]
min_blocks = 2
dynamic_memory = "tile_kv * 1024"
[[variant.launch]]
kernel = "second"
reads = ["part"]
writes = ["output"]
threadgroups = ["Hq"]
threads = ["min(Lk, 128)"]
max_threads = 128
pdl = true
)plan";

constexpr std::string_view kCode = "\nKERNEL(first) {}\nKERNEL(second) {}\n";

DeviceLimits hopper() {
  DeviceLimits limits;
  limits.num_sms = 132;
  limits.max_threadgroup_memory = 227 << 10;
  limits.max_threads = 1024;
  return limits;
}

Result<KernelSource> parse(std::string_view plan) {
  return KernelSource::parse(kernel_file(plan, kCode), Dialect::cuda, "k.cu");
}

std::string with(std::string_view from, std::string_view to) {
  return replaced(std::string(kPlan), from, to);
}

// The error of parsing, or else of resolving at one query and 512 keys.
std::string error_with(std::string_view from, std::string_view to) {
  const auto kernel = parse(with(from, to));
  if (!kernel) return kernel.error().message;
  const auto plan =
      resolve(*kernel, example_signature(), example_shape(1, 512), hopper());
  return plan ? "no error" : plan.error().message;
}

TEST(CudaPlan, IsReadAndResolved) {
  const auto kernel = parse(kPlan);
  ASSERT_TRUE(kernel) << kernel.error().message;
  const auto plan =
      resolve(*kernel, example_signature(), example_shape(1, 512), hopper());
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->tensor_maps.size(), 2U);
  const ResolvedTensorMap& keys = plan->tensor_maps[0];
  EXPECT_EQ(keys.tensor, (TensorRef{false, 1}));
  // All dimensions, innermost first, when nothing else is said.
  EXPECT_THAT(keys.order, ElementsAre(ElementsAre(3), ElementsAre(2),
                                      ElementsAre(1), ElementsAre(0)));
  EXPECT_THAT(keys.box, ElementsAre(64, 64, 1, 1));
  EXPECT_THAT(keys.element_strides, ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(keys.swizzle_bytes, 128);
  EXPECT_EQ(keys.l2_promotion_bytes, 0);
  const ResolvedTensorMap& merged = plan->tensor_maps[1];
  EXPECT_THAT(merged.order,
              ElementsAre(ElementsAre(3), ElementsAre(1, 2), ElementsAre(0)));
  EXPECT_THAT(merged.element_strides, ElementsAre(1, 2, 1));
  EXPECT_EQ(merged.swizzle_bytes, 64);
  EXPECT_EQ(merged.l2_promotion_bytes, 256);
  EXPECT_THAT(plan->launches[0].tensor_maps, ElementsAre(0, 1));
  EXPECT_THAT(plan->launches[0].cluster, ElementsAre(2, 1, 1));
  EXPECT_FALSE(plan->launches[0].pdl);
  EXPECT_TRUE(plan->launches[1].pdl);
}

TEST(CudaPlan, PrintsAsItIsRead) {
  const auto kernel = parse(kPlan);
  ASSERT_TRUE(kernel) << kernel.error().message;
  const auto again = kernel->with_plan(kernel->plan());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->plan(), kernel->plan());
  EXPECT_EQ(format_plan(again->plan()), format_plan(kernel->plan()));
}

TEST(CudaPlan, BoundsAreKnownWithoutAShape) {
  const auto kernel = parse(kPlan);
  ASSERT_TRUE(kernel);
  const CompileUnit unit{0, {{"tile_kv", 64}, {"warps", 4}, {"D", 128}}};
  EXPECT_EQ(launch_bounds(*kernel, unit, "first").value(),
            (LaunchBounds{128, 2}));
  EXPECT_EQ(launch_bounds(*kernel, unit, "second").value(),
            (LaunchBounds{128, 0}));
  EXPECT_EQ(known_dynamic_memory(*kernel, unit, "first", hopper()), 65536);
  const auto unknown = parse(with("max_threads = 128\n", ""));
  ASSERT_TRUE(unknown);
  EXPECT_EQ(launch_bounds(*unknown, unit, "second").value(),
            (LaunchBounds{0, 0}));
  const auto wanting = parse(with("max_threads = 128\n", "min_blocks = 1\n"));
  ASSERT_TRUE(wanting);
  const auto bounds = launch_bounds(*wanting, unit, "second");
  ASSERT_FALSE(bounds);
  EXPECT_THAT(bounds.error().message, HasSubstr("needs max_threads"));
}

struct Bad {
  std::string_view from;
  std::string_view to;
  std::string_view error;
};

constexpr Bad kBad[] = {
    {"tensor = \"key\"", "tensor = \"keys\"",
     "maps 'keys', which this launch neither reads nor writes"},
    {"box = [64, \"tile_kv\", 1, 1]", "box = [64, 1, 1]",
     "tensor_map.key_map.box: 3 entries; 'key' has 4 dimensions"},
    {"\"tile_kv\", 1, 1]", "\"tile_kv * 8\", 1, 1]",
     "tensor_map.key_map.box[1]: 'tile_kv * 8' is 512; must be from 1 to 256"},
    {"box = [64, \"tile_kv\"", "box = [128, \"tile_kv\"",
     "256 bytes; with swizzle = 128 at most that many"},
    {"swizzle = 128", "swizzle = 16", "must be one of 0, 32, 64, 128"},
    {"l2_promotion = 256", "l2_promotion = 32", "0, 64, 128, 256"},
    {"element_strides = [1, 2, 1]", "element_strides = [1, 2]",
     "2 entries for 3 in box"},
    {"element_strides = [1, 2, 1]", "element_strides = [1, 9, 1]",
     "element_strides[1]: '9' is 9"},
    {"order = [3, [1, 2], 0]", "order = [3, [2, 1], 0]",
     "merged dimensions stand outermost first"},
    {"order = [3, [1, 2], 0]", "order = [3, [1, 2], 3]", "stands there twice"},
    {"order = [3, [1, 2], 0]", "order = [3, [1], 0]",
     "names 3 of the 4 dimensions"},
    {"order = [3, [1, 2], 0]", "order = [0, [1, 2], 3]",
     "begins with dimension 0; the innermost is 3"},
    {"order = [3, [1, 2], 0]", "order = []", "expected 1 to 5 dimensions"},
    {"order = [3, [1, 2], 0]", "order = [3, \"Lq\", 0]",
     "expected dimensions of the tensor"},
    {"tensor_maps = [\"key_map\"", "tensor_maps = [\"key_mp\"",
     "no [tensor_map.key_mp] (did you mean 'key_map'?)"},
    {"reads = [\"query\", \"key\", \"value\"]",
     "reads = [\"query\", \"value\"]",
     "'key_map' maps 'key', which this launch neither reads nor writes"},
    {"cluster = [2]", "cluster = [16]", "exceed the device's limit of 8"},
    {"cluster = [2]", "cluster = [3]", "no multiple of the cluster's 3"},
    {"threadgroups = [\"2 * Hq\", \"B\"]", "threadgroups = [\"2 * Hq\", 70000]",
     "only the first dimension may exceed 65535"},
    {"max_threads = 128", "max_threads = 96",
     "128 threads exceed max_threads = 96"},
    {"max_threads = 128", "max_threads = \"Lk\"",
     "only compile-time letters and parameters are known"},
    {"min_blocks = 2", "pdl = true",
     "a variant's first launch waits for the call before it"},
    {"pdl = true", "pdl = true\ncooperative = true",
     "not together with cooperative"},
    {"pdl = true", "pdl = 1", "expected true or false"}};

TEST(CudaPlan, WhatIsWrongIsNamed) {
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(bad.to);
    EXPECT_THAT(error_with(bad.from, bad.to), HasSubstr(bad.error));
  }
}

TEST(CudaPlan, LargeClustersWantTheWord) {
  EXPECT_EQ(error_with("cluster = [2]", "cluster = [16]\nnonportable = true"),
            "no error");
}

TEST(CudaPlan, OtherDialectsRefuseItsKeys) {
  for (const Dialect dialect : {Dialect::cpu, Dialect::metal}) {
    for (const std::string_view key :
         {"tensor_maps = []", "cluster = [1]", "nonportable = true",
          "cooperative = true", "min_blocks = 1", "max_threads = 1",
          "pdl = false"}) {
      const std::string plan =
          replaced(std::string(kExamplePlan), "threads = [128, 1, 1]", key);
      const auto kernel =
          KernelSource::parse(kernel_file(plan, kExampleCode), dialect, "k.x");
      ASSERT_FALSE(kernel) << key;
      EXPECT_THAT(kernel.error().message,
                  HasSubstr("belongs to the cuda dialect"));
    }
  }
}

}  // namespace
}  // namespace evoke
