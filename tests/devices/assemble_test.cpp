#include "evoke/devices/cpu/assemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attention_call.h"
#include "test_kernels.h"

namespace evoke::cpu {
namespace {

using testing::attention_signature;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::parse_kernel;
using testing::with_plan;

// clang-format off
constexpr const char* kTwoVariants = R"kernel(/*evoke
problem = "attention"
summary = "test"
[parameters]
splits = { value = 2, choices = [1, 2, 4] }
[derive]
parts = "min(splits, Lk)"
[scratch]
sums = { type = "float32", shape = ["B", "splits"] }
[[variant]]
name = "a"
when = "Lq == 1"
parameters = { splits = 4 }
[[variant.launch]]
kernel = "partial"
reads = ["query", "key", "value"]
writes = ["sums"]
threadgroups = ["splits", 1, 1]
threads = [1, 1, 1]
[[variant.launch]]
kernel = "finish"
reads = ["sums"]
writes = ["output"]
threadgroups = [1, 1, 1]
threads = [1, 1, 1]
[[variant]]
name = "b"
when = "1"
[[variant.launch]]
kernel = "whole"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = [1, 1, 1]
threads = [1, 1, 1]
evoke*/
KERNEL(partial) { sums[0] = splits; }
KERNEL(finish) { output[0] = sums[0]; }
KERNEL(whole) { static_assert(splits == 2); output[0] = 1.0f; }
)kernel";
// clang-format on

Symbols constants(int64_t splits) {
  return {
      {"D", 128}, {"Hq", 16}, {"Hkv", 8}, {"causal", 1}, {"splits", splits}};
}

TEST(Assemble, GivesConstantsSignaturesAndEntryPoints) {
  const KernelSource kernel = parse_kernel(kTwoVariants);
  const auto text = assemble(kernel, attention_signature(), {0, constants(4)});
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("constexpr int D = 128;\n"));
  EXPECT_THAT(*text, HasSubstr("constexpr int splits = 4;\n"));
  EXPECT_THAT(*text,
              HasSubstr("#define EVOKE_KERNEL_partial static inline void "
                        "evoke_body_partial(const bfloat16* __restrict query, "
                        "const EvokeExtents<int, 4> query_shape, "
                        "const EvokeExtents<int64_t, 4> query_strides, "));
  EXPECT_THAT(*text, HasSubstr(", float* __restrict sums, "
                               "const EvokeExtents<int, 2> sums_shape, "
                               "const EvokeExtents<int64_t, 2> sums_strides, "
                               "const int B, const int Lk, const int Lq, "
                               "const int parts, const float scale, "
                               "const uint3 threadgroup_position_in_grid, "
                               "const uint3 threadgroups_per_grid, "
                               "char* __restrict threadgroup_memory)\n"));
  EXPECT_THAT(*text, HasSubstr("const float* __restrict sums"));
  EXPECT_THAT(*text, HasSubstr(" evoke_run_partial(\n"));
  EXPECT_THAT(*text, HasSubstr(" evoke_run_finish(\n"));
}

TEST(Assemble, KernelsOfOtherVariantsAreBlank) {
  const KernelSource kernel = parse_kernel(kTwoVariants);
  const auto text = assemble(kernel, attention_signature(), {0, constants(4)});
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("KERNEL(partial) { sums[0] = splits; }\n"));
  EXPECT_THAT(*text, Not(HasSubstr("static_assert(splits == 2)")));
  EXPECT_THAT(*text, Not(HasSubstr("evoke_run_whole")));
  const auto other = assemble(kernel, attention_signature(), {1, constants(2)});
  ASSERT_TRUE(other);
  EXPECT_THAT(*other, HasSubstr("static_assert(splits == 2)"));
  EXPECT_THAT(*other, Not(HasSubstr("evoke_run_partial")));
}

TEST(Assemble, LinesAreThoseOfTheFile) {
  const KernelSource kernel = parse_kernel(kTwoVariants);
  const auto text = assemble(kernel, attention_signature(), {1, constants(2)});
  ASSERT_TRUE(text);
  // The plan ends on line 37, where code() begins with the rest of the line.
  const std::string directive =
      "#line " + std::to_string(kernel.code_line()) + " \"kernel.cpp\"\n";
  const std::size_t at = text->find(directive);
  ASSERT_NE(at, std::string::npos) << *text;
  EXPECT_EQ((*text)[at + directive.size()], '\n');
}

TEST(Assemble, NamesWhatIsMissing) {
  const auto missing = assemble(parse_kernel(with_plan("void attend() {}\n")),
                                attention_signature(), {0, {}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message,
            "folder/kernel.cpp: variant 'any' launches the kernel 'attend', "
            "which the code does not have; write KERNEL(attend) { ... }");
}

TEST(Assemble, WideConstantsGetAWideType) {
  const auto text =
      assemble(parse_kernel(with_plan("KERNEL(attend) {}\n")),
               attention_signature(), {0, {{"big", int64_t{1} << 40}}});
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("constexpr int64_t big = 1099511627776;\n"));
}

}  // namespace
}  // namespace evoke::cpu
