#include "evoke/core/launch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/core/example_kernel.h"

namespace evoke {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

DeviceLimits limits() {
  DeviceLimits limits;
  limits.num_sms = 7;
  limits.max_threads = 1024;
  limits.max_threadgroup_memory = 1 << 17;
  return limits;
}

KernelSource parsed(const std::string& text) {
  auto kernel = KernelSource::parse(text, Dialect::cpu, "k.cpp");
  if (!kernel) throw std::runtime_error(kernel.error().message);
  return *kernel;
}

LaunchPlan resolved(const Shape& shape, const std::string& text) {
  auto plan = resolve(parsed(text), example_signature(), shape, limits());
  if (!plan) throw std::runtime_error(plan.error().message);
  return *plan;
}

std::string resolve_error(std::string_view from, std::string_view to,
                          const Shape& shape = example_shape(1, 4097),
                          const DeviceLimits& device = limits()) {
  const auto plan = resolve(parsed(replaced(example_file(), from, to)),
                            example_signature(), shape, device);
  EXPECT_FALSE(plan) << to;
  return plan ? "" : plan.error().message;
}

constexpr char kAtDecode[] =
    "; at shape q1-kv4097 (B = 1, D = 128, Hkv = 8, Hq = 16, Lk = 4097, Lq = "
    "1, causal = 1)";

TEST(Resolve, EvaluatesTheFirstVariantThatHolds) {
  const LaunchPlan plan = resolved(example_shape(1, 4097), example_file());
  EXPECT_EQ(plan.variant, 0U);
  // The variant's own tile.
  EXPECT_THAT(plan.constants,
              ElementsAre(Pair("D", 128), Pair("Hkv", 8), Pair("Hq", 16),
                          Pair("causal", 1), Pair("splits", 16),
                          Pair("tile_kv", 128), Pair("unroll", 4)));
  EXPECT_THAT(plan.sizes,
              ElementsAre(Pair("B", 1), Pair("Lk", 4097), Pair("Lq", 1),
                          Pair("more_rounds", 23), Pair("rounds", 16)));
  EXPECT_EQ(plan.scalars.at("scale"), 0.0883883461F);

  ASSERT_EQ(plan.scratch.size(), 3U);
  EXPECT_EQ(plan.scratch[0].name, "partial_output");
  EXPECT_THAT(plan.scratch[0].shape, ElementsAre(1, 16, 1, 16, 128));
  EXPECT_EQ(plan.scratch[0].bytes, 16 * 16 * 128 * 4);
  EXPECT_EQ(plan.scratch[2].init, ScratchInit::zero);
  EXPECT_TRUE(plan.scratch[2].self_reset);
  EXPECT_EQ(plan.scratch[2].bytes, 32);
  EXPECT_EQ(plan.scratch_bytes(), 16 * 16 * 128 * 4 + 16 * 16 * 4 + 32);

  ASSERT_EQ(plan.launches.size(), 2U);
  EXPECT_EQ(plan.launches[0].kernel, "decode_partial");
  EXPECT_THAT(plan.launches[0].reads,
              ElementsAre(TensorRef{false, 0}, TensorRef{false, 1},
                          TensorRef{false, 2}));
  EXPECT_THAT(
      plan.launches[0].writes,
      ElementsAre(TensorRef{true, 0}, TensorRef{true, 1}, TensorRef{true, 2}));
  EXPECT_THAT(plan.launches[0].threadgroups, ElementsAre(8, 16, 1));
  EXPECT_THAT(plan.launches[0].threads, ElementsAre(128, 1, 1));
  EXPECT_EQ(plan.launches[0].dynamic_memory_bytes, 2 * 128 * 128 * 2);
  EXPECT_THAT(plan.launches[1].writes, ElementsAre(TensorRef{false, 3}));
  EXPECT_THAT(plan.launches[1].threadgroups, ElementsAre(16, 1, 1));
  EXPECT_EQ(plan.launches[1].dynamic_memory_bytes, 0);
}

TEST(Resolve, AVariantBringsOnlyTheScratchThatItNames) {
  const LaunchPlan plan = resolved(example_shape(64, 64), example_file());
  EXPECT_EQ(plan.variant, 1U);
  EXPECT_TRUE(plan.scratch.empty());
  EXPECT_EQ(plan.scratch_bytes(), 0);
  EXPECT_EQ(plan.constants.at("tile_kv"), 64);
  EXPECT_THAT(plan.launches[0].threadgroups, ElementsAre(2, 16, 1));
}

TEST(Resolve, ShapesThatShareConstantsShareACompileUnit) {
  const auto unit = [](int64_t q_len, int64_t kv_len) {
    return unit_of(resolved(example_shape(q_len, kv_len), example_file()));
  };
  EXPECT_EQ(unit(1, 2048), unit(1, 4096));
  EXPECT_EQ(unit(64, 64), unit(7, 513));
  EXPECT_NE(unit(1, 2048), unit(64, 64));
}

TEST(Resolve, AShapeThatNoVariantTakesIsAbsent) {
  const auto plan =
      resolve(parsed(replaced(example_file(), "name = \"prefill\"",
                              "name = \"prefill\"\nwhen = \"Lq > 64\"")),
              example_signature(), example_shape(8, 64), limits());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, ErrorKind::absent);
  EXPECT_EQ(plan.error().message,
            "k.cpp: no variant takes shape q8-kv64 (B = 1, D = 128, Hkv = 8, "
            "Hq = 16, Lk = 64, Lq = 8, causal = 1); add one or widen a "
            "'when'");
}

struct BadPlan {
  std::string from;
  std::string to;
  std::string error;
};

const BadPlan kBadAtShape[] = {
    BadPlan{"tile_kv * D * 4 <= 65536", "tile_kv * D * 4 <= 49152",
            "k.cpp:10: parameters.constraints[0]: 'tile_kv * D * 4 <= "
            "49152' does not hold in variant 'decode'"},
    BadPlan{"\"splits >= 1\"", "\"splits / (splits - 16)\"",
            "k.cpp:10: parameters.constraints[1]: 'splits / (splits - "
            "16)': division by zero"},
    BadPlan{"Lk >= 1024", "Lk / (Lq - 1) > 2",
            "k.cpp:23: variant[0].when: 'Lq == 1 && Lk / (Lq - 1) > 2': "
            "division by zero"},
    BadPlan{"rounds + num_sms", "rounds * 4294967296",
            "k.cpp:19: derive.more_rounds: 68719476736 does not fit in 32 "
            "bits"},
    BadPlan{"[\"B\", \"Hkv\"]", "[\"B\", \"Hkv - 8\"]",
            "k.cpp:15: scratch.tickets.shape[1]: 'Hkv - 8' is 0; must be "
            "at least 1"},
    BadPlan{"[\"B\", \"Hkv\"]", "[\"B\", \"Hkv * 10000\"]",
            "k.cpp:15: scratch.tickets: 320000 bytes; self_reset allows "
            "at most 65536"},
    BadPlan{"[\"B\", \"Hq\", \"Lq\", \"rounds\", \"D\"]", "[\"B\", 2147483648]",
            "k.cpp:13: scratch.partial_output: scratch needs more than "
            "the limit of 2147483648 bytes"},
    BadPlan{"[\"B\", \"Hq\", \"Lq\", \"rounds\", \"D\"]",
            "[4294967296, 4294967296]",
            "k.cpp:13: scratch.partial_output: the size overflows 64 "
            "bits"},
    BadPlan{"[\"Hkv\", \"rounds\", \"B\"]", "[\"Hkv\", \"B - 1\"]",
            "k.cpp:29: variant[0].launch[0].threadgroups[1]: 'B - 1' is "
            "0; must be at least 1"},
    BadPlan{"[\"Hkv\", \"rounds\", \"B\"]", "[1048576, 1048576]",
            "k.cpp:29: variant[0].launch[0].threadgroups: 1099511627776 "
            "threadgroups exceed the device's limit of 1073741824"},
    BadPlan{"[\"Hkv\", \"rounds\", \"B\"]",
            "[4294967296, 4294967296, 4294967296]",
            "k.cpp:29: variant[0].launch[0].threadgroups: the size "
            "overflows 64 bits"},
    BadPlan{"[128, 1, 1]", "[128, 16, 1]",
            "k.cpp:30: variant[0].launch[0].threads: 2048 threads per "
            "threadgroup exceed the device's limit of 1024"},
    BadPlan{"2 * tile_kv * D * 2", "max_threadgroup_memory + 1",
            "k.cpp:31: variant[0].launch[0].dynamic_memory: 131073 bytes; "
            "must be from 0 to the device's 131072"},
    BadPlan{"2 * tile_kv * D * 2", "-1",
            "k.cpp:31: variant[0].launch[0].dynamic_memory: -1 bytes; "
            "must be from 0 to the device's 131072"}};

TEST(ResolveErrors, NameFileLineKeyAndShape) {
  for (const BadPlan& bad : kBadAtShape) {
    SCOPED_TRACE(bad.error);
    EXPECT_EQ(resolve_error(bad.from, bad.to), bad.error + kAtDecode);
  }
}

const BadPlan kBadNames[] = {
    BadPlan{"\"attention\"", "\"softmax\"",
            "k.cpp:2: problem: 'softmax' is not 'attention'"},
    BadPlan{"unroll = 4", "Hkv = 4",
            "k.cpp:9: parameters.Hkv: the name belongs to the problem "
            "attention; choose another"},
    BadPlan{"unroll = 4", "scale = 4",
            "k.cpp:9: parameters.scale: the name belongs to the problem "
            "attention; choose another"},
    BadPlan{"[derive]", "[derive]\nkey = 1",
            "k.cpp:18: derive.key: the name belongs to the problem "
            "attention; choose another"},
    BadPlan{"partial_lse = {", "output = {",
            "k.cpp:14: scratch.output: the name belongs to the problem "
            "attention; choose another"},
    BadPlan{"splits >= 1", "splits >= Lk",
            "k.cpp:10: parameters.constraints[1]: unknown name 'Lk' in "
            "'splits >= Lk' (sizes that change from "
            "call to call belong into 'when')"},
    BadPlan{"rounds + num_sms", "rounds + num_smss",
            "k.cpp:19: derive.more_rounds: unknown name 'num_smss' in "
            "'rounds + num_smss' (did you mean 'num_sms'?)"},
    // Derived values may use those above them only.
    BadPlan{"min(splits, ceil_div(Lk, tile_kv))", "more_rounds",
            "k.cpp:18: derive.rounds: unknown name 'more_rounds' in "
            "'more_rounds'"},
    BadPlan{"Lk >= 1024", "rounds > 4",
            "k.cpp:23: variant[0].when: unknown name 'rounds' in 'Lq == 1 "
            "&& rounds > 4'"},
    BadPlan{"[\"B\", \"Hkv\"]", "[\"B\", \"Hvk\"]",
            "k.cpp:15: scratch.tickets.shape[1]: unknown name 'Hvk' in "
            "'Hvk' (did you mean 'Hkv'?)"},
    BadPlan{"[\"query\", \"key\", \"value\"]", "[\"querry\"]",
            "k.cpp:27: variant[0].launch[0].reads: no tensor 'querry' "
            "(did you mean 'query'?)"},
    BadPlan{"[\"output\"]", "[\"output\", \"value\"]",
            "k.cpp:35: variant[0].launch[1].writes: 'value' is an input; "
            "inputs are never written"},
    BadPlan{"[\"query\", \"key\", \"value\"]", "[\"query\", \"output\"]",
            "k.cpp:27: variant[0].launch[0].reads: 'output' is an output "
            "that no launch before has written"},
    BadPlan{"\"B * Hq\"", "\"B * H\"",
            "k.cpp:36: variant[0].launch[1].threadgroups[0]: unknown name "
            "'H' in 'B * H' (did you mean 'B'?)"},
    BadPlan{"[\"output\"]\nthreadgroups = [\"B * Hq\"]",
            "[\"tickets\"]\nthreadgroups = [\"B * Hq\"]",
            "k.cpp:21: variant[0]: no launch writes the output "
            "'output'"}};

TEST(SignatureErrors, NameFileLineAndKey) {
  for (const BadPlan& bad : kBadNames) {
    SCOPED_TRACE(bad.error);
    EXPECT_EQ(resolve_error(bad.from, bad.to), bad.error);
  }
}

TEST(Signature, IsCheckedInVariantsThatNoShapeChooses) {
  EXPECT_THAT(resolve_error("ceil_div(Lq, 32)", "ceil_div(Lq, tile)"),
              HasSubstr("variant[1].launch[0].threadgroups[0]: unknown name "
                        "'tile'"));
  EXPECT_TRUE(check_signature(parsed(example_file()), example_signature()));
}

TEST(Resolve, ADeviceWithOneThreadSaysSo) {
  EXPECT_THAT(resolve_error("[128, 1, 1]", "[2]", example_shape(1, 4097),
                            DeviceLimits{}),
              HasSubstr("variant[0].launch[0].threads: 2 threads per "
                        "threadgroup exceed the device's limit of 1"));
}

TEST(Resolve, AnIncompleteShapeIsNamed) {
  Shape shape = example_shape(1, 4097);
  shape.values.erase("Hkv");
  EXPECT_THAT(resolve_error("", "", shape),
              HasSubstr("has no Hkv; the problem attention needs it"));
  shape = example_shape(1, 4097);
  shape.scalars.clear();
  EXPECT_THAT(resolve_error("", "", shape), HasSubstr("has no scale"));
}

}  // namespace
}  // namespace evoke
