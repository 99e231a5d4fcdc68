#include "evoke/devices/metal/assemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke::metal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ProblemSignature attention_signature() {
  const std::vector<std::string> rows = {"B", "Hq", "Lq", "D"};
  const std::vector<std::string> keys = {"B", "Hkv", "Lk", "D"};
  return {"attention",
          {{"query", DType::bfloat16, rows, false},
           {"key", DType::bfloat16, keys, false},
           {"value", DType::bfloat16, keys, false},
           {"output", DType::bfloat16, rows, true}},
          {"D", "Hkv", "Hq", "causal"},
          {"B", "Lk", "Lq"},
          {"scale"}};
}

// clang-format off
constexpr const char* kTwoLaunches = R"kernel(/*evoke
problem = "attention"
[parameters]
splits = { value = 4, choices = [1, 2, 4] }
[derive]
parts = "min(splits, Lk)"
unused = "Lk + 1"
[scratch]
sums = { type = "float32", shape = ["B", "Hq", "parts"], init = "zero" }
[[variant]]
name = "all"
[[variant.launch]]
kernel = "partial"
reads = ["query", "key"]
writes = ["sums"]
threadgroups = ["Hq"]
threads = [32]
[[variant.launch]]
kernel = "finish"
reads = ["sums", "value"]
writes = ["output"]
threadgroups = ["Hq"]
threads = [32]
evoke*/
// helper
inline float twice(float x) { return x + x; }
KERNEL(partial) {
  // key_strides
  sums[sums_strides[1] * threadgroup_position_in_grid.x] =
      query[0] * scale * parts;
}
KERNEL(finish) { output[0] = twice(sums[0]); }
)kernel";
// clang-format on

Symbols constants() {
  return {{"D", 128}, {"Hq", 16}, {"Hkv", 8}, {"causal", 1}, {"splits", 4}};
}

Result<Assembly> assemble_text(const std::string& text) {
  auto kernel =
      KernelSource::parse(text, Dialect::metal, "folder/kernel.metal");
  if (!kernel) return error_of(kernel);
  return assemble(*kernel, attention_signature(), {0, constants()});
}

std::string replaced(std::string text, const std::string& what,
                     const std::string& with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

TEST(MetalAssemble, GivesEachLaunchItsOwnCall) {
  const auto assembly = assemble_text(kTwoLaunches);
  ASSERT_TRUE(assembly) << assembly.error().message;
  ASSERT_EQ(assembly->kernels.size(), 2u);
  const AssembledKernel& partial = assembly->kernels[0];
  using Role = KernelInput::Role;
  EXPECT_THAT(partial.inputs, ElementsAre(KernelInput{Role::tensor, "query"},
                                          KernelInput{Role::tensor, "key"},
                                          KernelInput{Role::strides_of, "sums"},
                                          KernelInput{Role::size, "parts"},
                                          KernelInput{Role::scalar, "scale"}));
  EXPECT_THAT(partial.outputs, ElementsAre("sums"));
  EXPECT_TRUE(partial.zero_outputs);
  EXPECT_FALSE(assembly->kernels[1].zero_outputs);
  EXPECT_EQ(
      partial.source.text,
      R"(constexpr constant int D = 128;
constexpr constant int Hkv = 8;
constexpr constant int Hq = 16;
constexpr constant int causal = 1;
constexpr constant int splits = 4;
#line 24 "kernel.metal"

// helper
inline float twice(float x) { return x + x; }
)" + std::string(17, ' ') +
          "\n" + std::string(16, ' ') + "\n" + std::string(58, ' ') + "\n" +
          std::string(31, ' ') + "\n \n" + std::string(46, ' ') + "\n" +
          R"([[kernel]] void custom_kernel_partial_bfloat16_t_bfloat16_t_int64_tc_int32_ts_floats_float(
  const device bfloat16_t* query [[buffer(0)]],
  const device bfloat16_t* key [[buffer(1)]],
  const constant int64_t* key_strides [[buffer(2)]],
  const constant int64_t* sums_strides [[buffer(3)]],
  const constant int32_t& parts [[buffer(4)]],
  const constant float& scale [[buffer(5)]],
  device float* sums [[buffer(6)]],
  uint3 threadgroup_position_in_grid [[threadgroup_position_in_grid]]) {
#line 27 "kernel.metal"

  // key_strides
  sums[sums_strides[1] * threadgroup_position_in_grid.x] =
      query[0] * scale * parts;

}
)");
}

TEST(MetalAssemble, ReusesOneTextForAKernelLaunchedTwice) {
  std::string text = kTwoLaunches;
  text = replaced(text, "init = \"zero\" }",
                  "init = \"zero\" }\nmore = { type = \"float32\", shape = "
                  "[\"B\", \"Hq\"] }");
  const auto assembly = assemble_text(text);
  ASSERT_TRUE(assembly) << assembly.error().message;
  EXPECT_EQ(assembly->find("partial"), &assembly->kernels[0]);
  EXPECT_EQ(assembly->find("other"), nullptr);
}

TEST(MetalAssemble, TakesTheBodyWithItsBraces) {
  const auto assembly =
      assemble_text(replaced(kTwoLaunches, "{ output[0] = twice(sums[0]); }",
                             "{ { output[0] = 1; } /* } */ }"));
  ASSERT_TRUE(assembly) << assembly.error().message;
  EXPECT_THAT(assembly->kernels[1].mlx.source,
              HasSubstr("\n { output[0] = 1; } /* } */ "));
}

TEST(MetalAssemble, SaysWhatThisDialectCannotHave) {
  const auto message = [](const std::string& text) {
    const auto assembly = assemble_text(text);
    EXPECT_FALSE(assembly);
    return assembly ? std::string() : assembly.error().message;
  };
  EXPECT_THAT(message(replaced(kTwoLaunches, "threads = [32]",
                               "threads = [32]\ndynamic_memory = 64")),
              HasSubstr("metal_kernel has none; declare an array in the body"));
  EXPECT_THAT(
      message(replaced(kTwoLaunches,
                       "type = \"float32\", shape = [\"B\", \"Hq\", "
                       "\"parts\"], init = \"zero\"",
                       "type = \"int32\", shape = [\"B\", \"Hq\", \"parts\"], "
                       "init = \"zero\", self_reset = true")),
      HasSubstr("use init = \"zero\""));
  EXPECT_THAT(message(replaced(kTwoLaunches, "writes = [\"output\"]",
                               "writes = [\"output\", \"sums\"]")),
              HasSubstr("sums"));
  EXPECT_THAT(message(replaced(kTwoLaunches, "KERNEL(finish)",
                               "KERNEL(partial) { }\nKERNEL(finish)")),
              HasSubstr("folder/kernel.metal:32: KERNEL(partial) stands there "
                        "twice"));
  EXPECT_THAT(message(replaced(kTwoLaunches, "KERNEL(finish)",
                               "#if 1\n#endif\n#if 1\nKERNEL(finish)")),
              HasSubstr("folder/kernel.metal:35: KERNEL(finish) stands inside "
                        "an #if"));
  EXPECT_THAT(message(replaced(kTwoLaunches, "KERNEL(finish)", "KERNEL(end)")),
              HasSubstr("write KERNEL(finish) { ... }"));
}

TEST(MetalAssemble, RefusesMoreBuffersThanMetalHas) {
  std::string derived = "[derive]\n";
  std::string uses;
  for (int i = 0; i < 30; ++i) {
    derived += "d" + std::to_string(i) + " = \"Lk\"\n";
    uses += " + d" + std::to_string(i);
  }
  const auto assembly =
      assemble_text(replaced(replaced(kTwoLaunches, "[derive]\n", derived),
                             "scale * parts", "scale * parts" + uses));
  ASSERT_FALSE(assembly);
  EXPECT_THAT(assembly.error().message, HasSubstr("buffers, Metal has 31"));
}

TEST(MetalAssemble, RefusesScratchThatMlxWouldPassElsewhere) {
  const auto kernel =
      KernelSource::parse(kTwoLaunches, Dialect::metal, "kernel.metal");
  ASSERT_TRUE(kernel) << kernel.error().message;
  LaunchPlan plan;
  plan.scratch = {
      {"sums", DType::float32, {1, 2, 4}, 32, ScratchInit::zero, false}};
  EXPECT_TRUE(check_call(*kernel, plan));
  plan.scratch[0].shape = {1, 7, 1};
  const auto checked = check_call(*kernel, plan);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message,
              HasSubstr("kernel.metal:9: scratch.sums: 7 elements at this"));
}

}  // namespace
}  // namespace evoke::metal
