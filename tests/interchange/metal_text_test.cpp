#include "evoke/interchange/metal_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "evoke/devices/kernel_bodies.h"
#include "evoke/interchange/kernel_code.h"

namespace evoke {
namespace {

using ::testing::HasSubstr;

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

Symbols constants() {
  return {{"D", 128}, {"Hq", 16}, {"Hkv", 8}, {"causal", 1}};
}

std::string body_of(const KernelSource& kernel, const std::string& name) {
  for (const KernelBody& body : find_kernel_bodies(kernel.code())) {
    if (body.name != name) continue;
    return std::string(
        kernel.code().substr(body.open + 1, body.end - body.open - 2));
  }
  return "no such kernel";
}

std::vector<std::filesystem::path> seeds() {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(
           EVOKE_KERNELS_FOLDER "/attention/metal")) {
    if (entry.path().extension() == ".metal") found.push_back(entry.path());
  }
  return found;
}

TEST(MetalText, GivesEverySeedBack) {
  ASSERT_GE(seeds().size(), 4u);
  for (const auto& path : seeds()) {
    SCOPED_TRACE(path);
    const auto kernel = KernelSource::read(path);
    ASSERT_TRUE(kernel) << kernel.error().message;
    const auto text =
        to_metal_text(*kernel, attention_signature(), constants());
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_TRUE(is_metal_text(*text));
    EXPECT_FALSE(is_metal_text(kernel->text()));
    const auto back = from_metal_text(*text, "back.metal");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->plan(), kernel->plan());
    for (const Variant& variant : kernel->plan().variants) {
      for (const Launch& launch : variant.launches) {
        EXPECT_EQ(body_of(*back, launch.kernel),
                  body_of(*kernel, launch.kernel));
      }
    }
    // What is compiled is the same, but for line numbers.
    const auto again = to_metal_text(*back, attention_signature(), constants());
    ASSERT_TRUE(again) << again.error().message;
    const auto third = from_metal_text(*again, "again.metal");
    ASSERT_TRUE(third) << third.error().message;
    EXPECT_EQ(third->text(), back->text());
  }
}

TEST(MetalText, RefusesWhatIsNotWhole) {
  const auto kernel = KernelSource::read(seeds().front());
  ASSERT_TRUE(kernel);
  std::string text =
      to_metal_text(*kernel, attention_signature(), constants()).value();
  const auto cut = text.find("[[kernel]]");
  const auto back = from_metal_text(text.substr(0, cut) + "\n", "cut.metal");
  ASSERT_FALSE(back);
  EXPECT_THAT(back.error().message, HasSubstr("is not whole"));
  EXPECT_FALSE(from_metal_text("no plan", "none.metal"));
}

TEST(KernelCode, PutsKernelsIntoTheLastBlock) {
  CodeParts parts;
  parts.outside = "// EVOLVE-BLOCK-START\nint x;\n// EVOLVE-BLOCK-END\n// z\n";
  parts.bodies = {{"a", " x; "}};
  EXPECT_EQ(join_code(parts),
            "// EVOLVE-BLOCK-START\nint x;\n\nKERNEL(a) { x; }\n"
            "// EVOLVE-BLOCK-END\n// z\n");
  parts.outside = "int x;";
  EXPECT_EQ(join_code(parts), "int x;\n\nKERNEL(a) { x; }\n");
}

}  // namespace
}  // namespace evoke
