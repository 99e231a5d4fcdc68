#include "evoke/devices/kernel_bodies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke {
namespace {

TEST(KernelBodies, FindsNamesLinesAndEnds) {
  const std::string code =
      "// KERNEL(comment) { }\n"
      "int helper() { return 1; }\n"
      "KERNEL(first) {\n  if (1) { }\n}\n"
      "KERNEL ( second )\n{ }\n";
  const auto bodies = find_kernel_bodies(code);
  ASSERT_EQ(bodies.size(), 2u);
  EXPECT_EQ(bodies[0].name, "first");
  EXPECT_EQ(bodies[0].line, 3);
  EXPECT_EQ(code[bodies[0].end - 1], '}');
  EXPECT_EQ(code[bodies[0].end], '\n');
  EXPECT_EQ(bodies[1].name, "second");
  EXPECT_EQ(bodies[1].line, 6);
}

TEST(KernelBodies, BracesInLiteralsAndCommentsDoNotCount) {
  const std::string code =
      "KERNEL(a) { const char* s = \"}\\\"}\"; char c = '}'; /* } */ // }\n"
      "  int n = 1'000; }\nKERNEL(b) {}";
  const auto bodies = find_kernel_bodies(code);
  ASSERT_EQ(bodies.size(), 2u);
  EXPECT_EQ(code.substr(bodies[0].end), "\nKERNEL(b) {}");
}

TEST(KernelBodies, OnlyTheFirstBranchOfAConditionalCounts) {
  const std::string code =
      "KERNEL(a) {\n#if X\n  if (p) {\n#elif Y\n  if (q) {\n#else\n"
      "#if Z\n {{{\n#endif\n  if (r) {\n#endif\n  }\n}\nint after;\n";
  const auto bodies = find_kernel_bodies(code);
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_EQ(code.substr(bodies[0].end), "\nint after;\n");
}

TEST(KernelBodies, BranchesMayHoldOneKernelEach) {
  const std::string code =
      "#if X\nKERNEL(a) { 1 }\n#else\nKERNEL(a) { 2 }\n#endif\n";
  EXPECT_EQ(find_kernel_bodies(code).size(), 2u);
  EXPECT_EQ(blank_other_kernels(code, {}),
            "#if X\n               \n#else\n               \n#endif\n");
}

TEST(KernelBodies, AnOpenBodyHasNoEnd) {
  const auto bodies = find_kernel_bodies("KERNEL(a) { if (1) {\n}\n");
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_EQ(bodies[0].end, bodies[0].begin);
  EXPECT_TRUE(find_kernel_bodies("KERNEL(").empty());
  EXPECT_TRUE(find_kernel_bodies("KERNEL").empty());
  EXPECT_TRUE(find_kernel_bodies("\"open").empty());
  EXPECT_TRUE(find_kernel_bodies("#else").empty());
}

TEST(KernelBodies, BlanksTheOthersAndKeepsLines) {
  const std::string code = "KERNEL(a) {\n  x\n}\nKERNEL(b) { y }\n";
  EXPECT_EQ(blank_other_kernels(code, {"b"}),
            "           \n   \n \nKERNEL(b) { y }\n");
  EXPECT_EQ(blank_other_kernels(code, {"a", "b"}), code);
}

}  // namespace
}  // namespace evoke
