#include "evoke/devices/metal/host/rewrite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "evoke/devices/metal/host/artifact.h"
#include "evoke/devices/metal/host/gate_messages.h"
#include "evoke/devices/metal/host/lints.h"

namespace evoke::metal::host {
namespace {

TEST(Rewrite, LeavesPointersToThreadgroupMemoryAlone) {
  for (const std::string text :
       {"threadgroup float* p = t;", "void f(threadgroup float* p, int n) {}",
        "threadgroup float (*p)[4] = t;", "threadgroup float& r = t[0];",
        "g((threadgroup float4*)t);", "threadgroup const float* p = t;",
        "threadgroup_barrier(mem_flags::mem_threadgroup);"}) {
    EXPECT_EQ(rewrite(text), text);
  }
}

TEST(Rewrite, MakesVariablesReferences) {
  const std::string text = rewrite(
      "{ threadgroup vec<float, 4> a[2][3],\n b; alignas(16) threadgroup half "
      "c[N * (M + 1)]; }");
  EXPECT_NE(text.find("using evoke_type_a = vec<float, 4> [2][3];"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("evoke_type_b& b = "), std::string::npos) << text;
  EXPECT_NE(text.find("half [N * (M + 1)];"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(Rewrite, SpellsLiterals) {
  EXPECT_EQ(rewrite("a = 1.5h + 2.0bf + 0x1fh + 1e3H + 7h + b.h;"),
            "a = 1.5_evoke_h + 2.0_evoke_bf + 0x1fh + 1e3_evoke_h + 7h + b.h;");
}

TEST(Rewrite, DropsIncludesAndInstantiations) {
  EXPECT_EQ(rewrite("#include <metal_stdlib>\nint a;\ntemplate "
                    "[[host_name(\"f\")]] [[kernel]]\ndecltype(f<1>) f<1>;\n"),
            "\nint a;\n\n\n");
}

TEST(Lints, SayTheLineOfTheKernelFile) {
  const std::string text =
      "constexpr constant int D = 8;\n#line 40 \"kernel.metal\"\nfloat f() { "
      "return 1.0; }\n\nfloat g;\n";
  const auto lints = lint(text, text.size(), MetalVersion::v3_1);
  ASSERT_EQ(lints.size(), 1U);
  EXPECT_EQ(lints[0].line, 42);
  EXPECT_NE(lints[0].message.find("constant address space"), std::string::npos);
}

TEST(Lints, SayWhatThisHostDoesNotRead) {
  const std::string text = "float4x4 m; float4 v; half2x3 n; int float5x4;\n";
  EXPECT_EQ(lint(text, 0, MetalVersion::v3_1).size(), 2U);
}

TEST(Lints, SeeCastsToPointers) {
  EXPECT_TRUE(casts_to_pointers("p = (device float*)n;"));
  EXPECT_TRUE(casts_to_pointers("p = reinterpret_cast<device float*>(n);"));
  EXPECT_FALSE(casts_to_pointers("void f(device float*) { a = (b * c); }"));
}

TEST(Rewrite, AddsUpThreadgroupMemoryByScopes) {
  const std::string text = rewrite(
      "{ threadgroup int a; { threadgroup int b; } threadgroup int c; }");
  for (const std::string sum :
       {"evoke_total_1 = 0 + ", "evoke_total_2 = evoke_total_1 + ",
        "evoke_total_3 = evoke_total_1 + "}) {
    EXPECT_NE(text.find(sum), std::string::npos) << text;
  }
}

TEST(GateMessages, FindPointersMadeOfIntegers) {
  const auto messages = integer_cast_messages(
      "Dumping evoke_kernel_0:\n"
      "`-FunctionDecl 0x1 <kernel.metal:7:1, line:13:1> line:7:6 f 'void ()'\n"
      "  |-CStyleCastExpr 0x2 <col:21, col:36> 'float *' <IntegralToPointer>\n"
      "  |-VarDecl 0x3 </a/b.h:1:16, kernel.metal:11:7> line:10:29 q 'int'\n"
      "  | `-CStyleCastExpr 0x4 <col:3, line:11:7> 'f *' <IntegralToPointer>\n"
      "  |-CStyleCastExpr 0x5 <col:3> 'float' <IntegralToFloating>\n"
      "  `-CStyleCastExpr 0x6 </a/b.h:5:3> 'f *' <IntegralToPointer>\n",
      "kernel.metal");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].line, 7);
  EXPECT_EQ(messages[1].line, 10);
}

TEST(Lints, RefuseRecursionButNotOverloads) {
  const std::string recursive = "int f(int n) { return n ? f(n - 1) : 0; }\n";
  EXPECT_EQ(lint(recursive, recursive.size(), MetalVersion::v4_0).size(), 1U);
  const std::string overloads =
      "int f(half n) { return 1; }\nint f(int n) { return f(half(n)); }\n";
  EXPECT_TRUE(lint(overloads, overloads.size(), MetalVersion::v4_0).empty());
}

TEST(GateMessages, KeepOnlyAddressSpacesOfTheLooseReading) {
  const std::string output =
      "kernel.metal:3:5: error: no matching conversion for functional-style "
      "cast from 'int' to 'float4'\n"
      "kernel.metal:4:9: error: cannot initialize a variable of type 'device "
      "float *' with an lvalue of type 'threadgroup float *'\n"
      "kernel.metal:5:9: error: no matching function for call to 'f'\n"
      "kernel.metal:1:9: note: candidate function not viable: address space "
      "mismatch in 1st argument ('device float *'), parameter type must be "
      "'threadgroup float *'\n";
  const auto messages = address_space_messages(output, "kernel.metal");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].line, 4);
  EXPECT_EQ(messages[1].line, 5);
  EXPECT_NE(messages[1].text.find("address space mismatch"), std::string::npos);
}

TEST(GateMessages, SayOfTheKernelWhatFailsInTheShim) {
  const std::string output =
      "/tmp/shim/types.h:9:3: error: static assertion failed: as_type cast\n"
      "kernel.metal:7:9: note: in instantiation of function template\n";
  const auto messages = type_messages(output, "kernel.metal");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].line, 7);
  EXPECT_EQ(to_text(messages, "a.metal", 5),
            "a.metal:7: error: static assertion failed: as_type cast\n");
}

TEST(Artifact, SurvivesTheRoundTripAndRefusesDamage) {
  Artifact artifact;
  artifact.kernels = {{"k", {{Argument::Kind::strides, "query"}}}};
  artifact.object = {std::byte{1}, std::byte{2}};
  artifact.checked_object = {std::byte{3}};
  const auto bytes = to_bytes(artifact);
  const auto again = artifact_from_bytes(bytes);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->object, artifact.object);
  EXPECT_EQ(again->checked_object, artifact.checked_object);
  ASSERT_NE(again->find("k"), nullptr);
  EXPECT_EQ(again->find("k")->arguments[0].name, "query");
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(artifact_from_bytes({bytes.data(), length})) << length;
  }
}

}  // namespace
}  // namespace evoke::metal::host
