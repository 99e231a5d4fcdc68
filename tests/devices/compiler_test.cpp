#include "evoke/devices/cpu/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "test_kernels.h"

namespace evoke::cpu {
namespace {

using testing::compile_small;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::parse_kernel;
using testing::shared_compiler;
using ::testing::StartsWith;
using testing::with_plan;
using Status = CompileReply::Status;

CompileReply compile(const std::string& code) {
  return compile_small(shared_compiler(), parse_kernel(with_plan(code)));
}

TEST(Compiler, CompilesAndReports) {
  const CompileReply reply = compile(
      "KERNEL(attend) {\n"
      "  output[threadgroup_position_in_grid.x * output_strides[2]] =\n"
      "      expf(query[0]) * scale;\n}\n");
  ASSERT_EQ(reply.status, Status::ok) << reply.diagnostics;
  EXPECT_EQ(reply.diagnostics, "");
  EXPECT_GT(reply.report["code_bytes"], 0);
  EXPECT_GT(reply.report["instructions"], 0);
  EXPECT_EQ(reply.report["imports"], Json::array({"expf"}));
  EXPECT_TRUE(reply.report["isa"].is_array());
  EXPECT_GT(reply.elapsed_ms, 0);
}

TEST(Compiler, TheSameTextGivesTheSameObject) {
  const std::string code = "KERNEL(attend) { output[0] = query[1]; }\n";
  EXPECT_EQ(compile(code).artifact, compile(code).artifact);
  // Names are not part of it.
  EXPECT_EQ(compile("inline float f(float x) { return x * 3; }\n"
                    "KERNEL(attend) { output[0] = f(query[1]); }\n")
                .artifact,
            compile("inline float g(float y) { return y * 3; }\n"
                    "KERNEL(attend) { output[0] = g(query[1]); }\n")
                .artifact);
}

TEST(Compiler, ErrorsKeepTheLinesOfTheFile) {
  const CompileReply reply =
      compile("KERNEL(attend) {\n  output[0] = 1.0f;\n  nonsense();\n}\n");
  EXPECT_EQ(reply.status, Status::failed);
  // The plan of with_plan() ends on line 13.
  EXPECT_THAT(reply.diagnostics, HasSubstr("kernel.cpp:16:3: error: "));
  EXPECT_THAT(reply.diagnostics, HasSubstr("nonsense"));
  EXPECT_THAT(reply.diagnostics, Not(HasSubstr("/tmp")));
  EXPECT_TRUE(reply.artifact.empty());
}

TEST(Compiler, ErrorsInBodiesAfterOtherKernelsToo) {
  const CompileReply reply = compile(
      "KERNEL(unused) {\n  garbage garbage;\n}\n"
      "KERNEL(attend) {\n  output[0] = wrong;\n}\n");
  EXPECT_EQ(reply.status, Status::failed);
  EXPECT_THAT(reply.diagnostics, HasSubstr("kernel.cpp:18:15: error: "));
  EXPECT_THAT(reply.diagnostics, Not(HasSubstr("garbage")));
}

TEST(Compiler, BodiesSeeEverythingThatIsPromised) {
  const CompileReply reply = compile(R"(
#include <cmath>
#include <immintrin.h>
template <typename T>
inline float sum(const T* x, int n) {
  float total = 0;
  for (int i = 0; i < n; ++i) total += x[i];
  return total;
}
KERNEL(attend) {
  static_assert(D == 32 && Hq == 2 && Hkv == 1 && causal == 0);
  static_assert(std::is_same_v<decltype(query), const bfloat16* __restrict>);
  static_assert(std::is_same_v<decltype(output), bfloat16* __restrict>);
  const int n = query_shape[0] + query_shape[3] + B + Lq + Lk;
  const int64_t s = key_strides[0] + value_strides[3] + output_strides[1];
  char* const memory = threadgroup_memory;
  const float p = threadgroup_position_in_grid.y + threadgroups_per_grid.z;
  output[0] = sum(query, D) + static_cast<float>(n + s) * scale + p;
  output[1] = static_cast<bfloat16>(memory == nullptr ? std::exp2(1.0f) : 0);
}
)");
  EXPECT_EQ(reply.status, Status::ok) << reply.diagnostics;
}

TEST(Compiler, NamesOfThePreludeMayBeUsedAgain) {
  const CompileReply reply = compile_small(
      shared_compiler(),
      parse_kernel(with_plan("KERNEL(attend) { output[0] = prefetch + load; }",
                             "prefetch = { value = 1, choices = [1] }\n"
                             "load = { value = 2, choices = [2] }")));
  EXPECT_EQ(reply.status, Status::ok) << reply.diagnostics;
}

TEST(Compiler, RefusesForbiddenTextFirst) {
  const CompileReply reply =
      compile("KERNEL(attend) { output[0] = __builtin_ia32_rdtsc(); }\n");
  EXPECT_EQ(reply.status, Status::rejected);
  EXPECT_THAT(reply.diagnostics, StartsWith("folder/kernel.cpp:14: "));
}

#if defined(__x86_64__)
TEST(Compiler, RefusesWhatMacrosHide) {
  const CompileReply reply = compile(
      "KERNEL(attend) {\n  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);\n"
      "  output[0] = query[0];\n}\n");
  EXPECT_EQ(reply.status, Status::rejected);
  EXPECT_THAT(reply.diagnostics, HasSubstr("ldmxcsr"));
  EXPECT_THAT(reply.diagnostics, StartsWith("folder/kernel.cpp: "));
}
#endif

TEST(Compiler, RefusesStateAndNamesIt) {
  const CompileReply reply = compile(
      "KERNEL(attend) {\n  static int calls = 0;\n  output[0] = ++calls;\n}\n");
  EXPECT_EQ(reply.status, Status::rejected);
  EXPECT_THAT(reply.diagnostics, HasSubstr("writable data: 'calls'"));
}

TEST(Compiler, RefusesGlobalsWithConstructors) {
  const CompileReply reply = compile(
      "struct S { float x; S() : x(expf(1.5f)) {} };\n"
      "const S kS;\n"
      "KERNEL(attend) { output[0] = kS.x; }\n");
  EXPECT_NE(reply.status, Status::ok);
}

TEST(Compiler, StopsAtItsTimeLimit) {
  CompilerOptions options;
  options.time_limit_ms = 1500;
  auto compiler = CpuCompiler::open(options);
  ASSERT_TRUE(compiler);
  const CompileReply reply = compile_small(
      **compiler,
      parse_kernel(with_plan(
          "template <int a, int b> struct Slow {\n"
          "  static constexpr long value = Slow<a - 1, 2 * b>::value +\n"
          "      Slow<a - 1, 2 * b + 1>::value;\n};\n"
          "template <int b> struct Slow<0, b> {\n"
          "  static constexpr long value = b;\n};\n"
          "KERNEL(attend) { output[0] = Slow<26, 0>::value; }\n")));
  EXPECT_EQ(reply.status, Status::timed_out);
  EXPECT_EQ(reply.diagnostics, "the compiler was stopped after 1 seconds");
}

TEST(Compiler, StopsAtItsMemoryLimit) {
  CompilerOptions options;
  options.memory_limit_bytes = 10 << 20;  // less than any compiler needs
  options.time_limit_ms = 60'000;
  auto compiler = CpuCompiler::open(options);
  ASSERT_TRUE(compiler);
  const CompileReply reply = compile_small(
      **compiler,
      parse_kernel(with_plan(
          "template <int a, int b> struct Slow {\n"
          "  static constexpr long value = Slow<a - 1, 2 * b>::value +\n"
          "      Slow<a - 1, 2 * b + 1>::value;\n};\n"
          "template <int b> struct Slow<0, b> {\n"
          "  static constexpr long value = b;\n};\n"
          "KERNEL(attend) { output[0] = Slow<26, 0>::value; }\n")));
  EXPECT_EQ(reply.status, Status::timed_out);
  EXPECT_THAT(reply.diagnostics, HasSubstr("10 MB of memory"));
}

TEST(Compiler, LeavesNothingBehind) {
  const std::string folder = ::testing::TempDir() + "/evoke-compiler-test";
  std::filesystem::remove_all(folder);
  CompilerOptions options;
  options.folder = folder;
  {
    auto compiler = CpuCompiler::open(options);
    ASSERT_TRUE(compiler);
    const auto kernel =
        parse_kernel(with_plan("KERNEL(attend) { output[0] = query[0]; }\n"));
    EXPECT_EQ(compile_small(**compiler, kernel).status, Status::ok);
    const auto broken = parse_kernel(with_plan("KERNEL(attend) { x }\n"));
    EXPECT_EQ(compile_small(**compiler, broken).status, Status::failed);
  }
  // Only the prelude stays, for the next process that names this folder.
  int entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_THAT(entry.path().filename().string(), StartsWith("prelude-"));
    ++entries;
  }
  EXPECT_EQ(entries, 1);
  std::filesystem::remove_all(folder);
}

TEST(Compiler, WorksFromSeveralThreads) {
  std::vector<std::thread> threads;
  std::vector<Status> statuses(4, Status::unavailable);
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    threads.emplace_back([&statuses, i] {
      statuses[i] = compile("KERNEL(attend) { output[" + std::to_string(i) +
                            "] = query[0]; }\n")
                        .status;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(statuses, ::testing::Each(Status::ok));
}

TEST(Compiler, IdNamesCompilerFlagsAndMachine) {
  const std::string id = shared_compiler().id();
  EXPECT_THAT(id, HasSubstr(shared_compiler().toolchain().version));
  EXPECT_THAT(id, HasSubstr("-O3"));
  CompilerOptions options;
  options.extra_flags = {"-O1"};
  auto other = CpuCompiler::open(options);
  ASSERT_TRUE(other);
  EXPECT_NE((*other)->id(), id);
}

}  // namespace
}  // namespace evoke::cpu
