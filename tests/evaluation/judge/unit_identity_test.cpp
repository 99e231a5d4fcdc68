#include "evoke/evaluation/judge/unit_identity.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "tests/core/example_kernel.h"

namespace evoke::judge {
namespace {

constexpr const char* kPlan = R"(
problem = "attention"
summary = "two variants"
[parameters]
tile_a = { value = 32, choices = [16, 32] }
tile_b = { value = 32, choices = [16, 32] }
unused = { value = 1, choices = [1, 2] }
[derive]
twice = "2 * Lk"
[[variant]]
name = "a"
when = "Lq == 1"
[[variant.launch]]
kernel = "attend_a"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq"]
[[variant]]
name = "b"
[[variant.launch]]
kernel = "attend_b"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq"]
)";

constexpr const char* kCode = R"(
inline float shared_text(float x) { return x; }
KERNEL(attend_a) {
  for (int j = 0; j < tile_a; ++j) output[j] = shared_text(1.0f);
}
KERNEL(attend_b) {
  for (int j = 0; j < tile_b; ++j) output[j] = shared_text(2.0f);
}
)";

std::string identity_at(const std::string& text, int64_t q_len, int64_t kv_len,
                        const std::string& path = "k.cpp") {
  const auto kernel = KernelSource::parse(text, Dialect::cpu, path);
  if (!kernel) throw std::runtime_error(kernel.error().message);
  const auto plan = resolve(*kernel, example_signature(),
                            example_shape(q_len, kv_len), DeviceLimits{});
  if (!plan) throw std::runtime_error(plan.error().message);
  return unit_identity(*kernel, example_signature(), unit_of(*plan));
}

std::string file() { return kernel_file(kPlan, kCode); }
std::string a_of(const std::string& text) { return identity_at(text, 1, 64); }
std::string b_of(const std::string& text) { return identity_at(text, 8, 64); }

TEST(UnitIdentity, IsTheSameForTheSameUnit) {
  EXPECT_EQ(a_of(file()), a_of(file()));
  EXPECT_NE(a_of(file()), b_of(file()));
  EXPECT_EQ(a_of(file()).size(), 32U);
}

TEST(UnitIdentity, SizesThatChangeFromCallToCallDoNotCount) {
  EXPECT_EQ(identity_at(file(), 1, 64), identity_at(file(), 1, 4097));
  EXPECT_EQ(identity_at(file(), 8, 64), identity_at(file(), 17, 4097));
}

TEST(UnitIdentity, TheNameOfTheFileDoesNotCount) {
  EXPECT_EQ(identity_at(file(), 1, 64, "a.cpp"),
            identity_at(file(), 1, 64, "folder/b.cpp"));
}

TEST(UnitIdentity, AParameterCountsWhereItIsUsed) {
  const std::string stepped =
      replaced(file(), "tile_b = { value = 32", "tile_b = { value = 16");
  EXPECT_EQ(a_of(file()), a_of(stepped));
  EXPECT_NE(b_of(file()), b_of(stepped));
}

TEST(UnitIdentity, AParameterNobodyUsesDoesNotCount) {
  const std::string stepped =
      replaced(file(), "unused = { value = 1", "unused = { value = 2");
  EXPECT_EQ(a_of(file()), a_of(stepped));
  EXPECT_EQ(b_of(file()), b_of(stepped));
}

// ... but that there is one of this name does: the code may have its own.
TEST(UnitIdentity, TheNamesOfParametersCount) {
  const std::string renamed = replaced(file(), "unused =", "shadow =");
  EXPECT_NE(a_of(file()), a_of(renamed));
}

TEST(UnitIdentity, AnotherKernelsBodyDoesNotCount) {
  const std::string changed =
      replaced(file(), "shared_text(2.0f)", "shared_text(3.0f)");
  EXPECT_EQ(a_of(file()), a_of(changed));
  EXPECT_NE(b_of(file()), b_of(changed));
}

TEST(UnitIdentity, TextThatAllShareCounts) {
  const std::string changed = replaced(file(), "return x;", "return x + x;");
  EXPECT_NE(a_of(file()), a_of(changed));
  EXPECT_NE(b_of(file()), b_of(changed));
}

TEST(UnitIdentity, CommentsDoNotCount) {
  const std::string changed =
      replaced(file(), "return x;", "return x; /* as it is */");
  EXPECT_EQ(a_of(file()), a_of(changed));
}

TEST(UnitIdentity, LinesAndBlanksDoNotCount) {
  EXPECT_EQ(a_of(file()), a_of(replaced(file(), "KERNEL(attend_a)",
                                        "\n\n  KERNEL( attend_a )")));
}

// ... but where code asks for its line, and where blanks mean something.
TEST(UnitIdentity, LinesAndBlanksCountWhereCodeSeesThem) {
  const std::string asks =
      replaced(file(), "return x;", "return x + __LINE__;");
  EXPECT_NE(a_of(asks), a_of(replaced(asks, "inline float", "\ninline float")));
  const std::string builtin =
      replaced(file(), "return x;", "return x + __builtin_LINE();");
  EXPECT_NE(a_of(builtin),
            a_of(replaced(builtin, "inline float", "\ninline float")));
  const std::string called = replaced(file(), "inline float shared_text",
                                      "#define F(x) x\ninline float "
                                      "shared_text");
  EXPECT_NE(a_of(called), a_of(replaced(called, "F(x)", "F (x)")));
  const std::string two_lines =
      replaced(called, "F(x) x\n", "F(x) x + \\\n 1\n");
  EXPECT_NE(a_of(called), a_of(two_lines));
  EXPECT_NE(a_of(two_lines), a_of(replaced(two_lines, " 1\n", " 2\n")));
}

TEST(UnitIdentity, AParameterMadeByPastingCounts) {
  const std::string pasting =
      replaced(file(), "inline float shared_text",
               "#define PASTE(x, y) x##y\ninline float shared_text");
  const std::string stepped =
      replaced(pasting, "tile_b = { value = 32", "tile_b = { value = 16");
  EXPECT_NE(a_of(pasting), a_of(stepped));
}

TEST(UnitIdentity, ConstantsOfTheProblemCountWhereTheyAreUsed) {
  const auto kernel = KernelSource::parse(file(), Dialect::cpu, "k.cpp");
  ASSERT_TRUE(kernel);
  const std::string with_width = replaced(file(), "return x;", "return x * D;");
  const auto at_width = [](const std::string& text, int64_t width) {
    const auto parsed = KernelSource::parse(text, Dialect::cpu, "k.cpp");
    Shape shape = example_shape(1, 64);
    shape.values["D"] = width;
    const auto plan =
        resolve(*parsed, example_signature(), shape, DeviceLimits{});
    return unit_identity(*parsed, example_signature(), unit_of(*plan));
  };
  EXPECT_EQ(at_width(file(), 64), at_width(file(), 128));
  EXPECT_NE(at_width(with_width, 64), at_width(with_width, 128));
}

TEST(UnitIdentity, ArgumentsOfLaunchesAndScratchCount) {
  const std::string scratch =
      "[scratch]\nextra = { type = \"float32\", shape = [\"8\"] }\n[derive]";
  const std::string with_scratch = replaced(file(), "[derive]", scratch);
  EXPECT_NE(a_of(file()), a_of(with_scratch));
  const std::string other_type =
      replaced(with_scratch, "\"float32\"", "\"int32\"");
  EXPECT_NE(a_of(with_scratch), a_of(other_type));
  EXPECT_NE(a_of(file()), a_of(replaced(file(), R"(["query", "key", "value"])",
                                        R"(["query", "value", "key"])")));
}

}  // namespace
}  // namespace evoke::judge
