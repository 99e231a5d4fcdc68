// Compiles with NVRTC for sm_90a; no GPU is needed.
#include "evoke/devices/cuda/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "tests/core/example_kernel.h"
#include "tests/devices/cuda/cuda_kernels.h"

namespace evoke::cuda {
namespace {

using evoke::testing::hopper_options;
using evoke::testing::kScaleBody;
using evoke::testing::parse_cuda;
using evoke::testing::scale_file;
using evoke::testing::scale_signature;
using evoke::testing::shared_nvrtc;
using ::testing::HasSubstr;
using ::testing::Not;
using Status = CompileReply::Status;

CompileReply compile(const std::string& text,
                     const CompilerOptions& options = hopper_options()) {
  CudaCompiler compiler(shared_nvrtc(), options);
  const KernelSource kernel = parse_cuda(text);
  CompileUnit unit;
  for (const Parameter& parameter : kernel.plan().parameters) {
    unit.constants[parameter.name] = parameter.value;
  }
  return compiler.compile(kernel, scale_signature(), unit);
}

TEST(CudaCompiler, MakesACubinAndAReport) {
  EVOKE_NEEDS_NVRTC();
  const CompileReply reply = compile(scale_file(kScaleBody));
  ASSERT_EQ(reply.status, Status::ok) << reply.diagnostics;
  EXPECT_GT(reply.artifact.size(), 500U);
  EXPECT_EQ(reply.report["architecture"], "sm_90a");
  const Json& kernel = reply.report["kernels"]["scale"];
  EXPECT_GT(kernel["registers"], 4);
  EXPECT_LT(kernel["registers"], 64);
  EXPECT_EQ(kernel["spill_store_bytes"], 0);
  EXPECT_EQ(kernel["local_bytes"], 0);
  EXPECT_EQ(kernel["static_shared_bytes"], 0);
  EXPECT_EQ(kernel["dynamic_shared_bytes"], 0);
  EXPECT_EQ(kernel["threads"], 128);
  EXPECT_EQ(kernel["threadgroups_per_sm"], 16);
  EXPECT_EQ(kernel["occupancy"], 1.0);
  EXPECT_EQ(reply.diagnostics, "");
}

TEST(CudaCompiler, NamesTheKernelFilesOwnLine) {
  EVOKE_NEEDS_NVRTC();
  const std::string text = scale_file("  y[0] = undeclared_thing;");
  const CompileReply reply = compile(text);
  ASSERT_EQ(reply.status, Status::failed);
  const auto line =
      1 + std::count(text.begin(),
                     text.begin() + static_cast<std::ptrdiff_t>(
                                        text.find("undeclared_thing")),
                     '\n');
  EXPECT_THAT(reply.diagnostics,
              HasSubstr("kernel.cu(" + std::to_string(line) + "): error"));
  EXPECT_THAT(reply.diagnostics, HasSubstr("undeclared_thing"));
  EXPECT_THAT(reply.diagnostics, Not(HasSubstr("folder/")));
}

TEST(CudaCompiler, RefusesWhatCouldRemember) {
  EVOKE_NEEDS_NVRTC();
  const CompileReply counter =
      compile(scale_file("  y[0] = atomicAdd(&calls, 1) * x[0];", "", "",
                         "__device__ int calls;\n"));
  EXPECT_EQ(counter.status, Status::rejected);
  EXPECT_THAT(counter.diagnostics,
              HasSubstr("the device variable 'calls' is refused"));
  const CompileReply hidden =
      compile(scale_file("  static int count;\n  y[0] = ++count * x[0];"));
  EXPECT_EQ(hidden.status, Status::rejected) << hidden.diagnostics;
  EXPECT_THAT(hidden.diagnostics, HasSubstr("count"));
}

TEST(CudaCompiler, TablesAndConstantsAreNotState) {
  EVOKE_NEEDS_NVRTC();
  const CompileReply reply =
      compile(scale_file("  const float local[4] = {1, 2, 3, 4};\n"
                         "  y[0] = table[N & 3] * kFactor * local[N & 3];",
                         "", "",
                         "__constant__ float table[4] = {1, 2, 3, 4};\n"
                         "constexpr int kFactor = 3;\n"));
  ASSERT_EQ(reply.status, Status::ok) << reply.diagnostics;
  EXPECT_GE(reply.report["constant_bytes"], 16);
}

// NVRTC writes constants into the object whether or not code reads them.
TEST(CudaCompiler, ConstantsOfOtherKernelsDoNotChangeTheCode) {
  EVOKE_NEEDS_NVRTC();
  const auto with = [](int elsewhere, int here) {
    const std::string constants =
        "constexpr int kElsewhere = " + std::to_string(elsewhere) +
        ";\nconstexpr int kHere = " + std::to_string(here) + ";\n";
    return compile(
        scale_file("  y[threadIdx.x] = a * kHere;", "", "", constants));
  };
  const CompileReply first = with(128, 3);
  const CompileReply second = with(144, 3);
  ASSERT_EQ(first.status, Status::ok) << first.diagnostics;
  EXPECT_NE(first.artifact, second.artifact);
  EXPECT_EQ(first.report["code_hash"], second.report["code_hash"]);
  EXPECT_NE(first.report["code_hash"], with(128, 4).report["code_hash"]);
}

TEST(CudaCompiler, RefusesClocks) {
  EVOKE_NEEDS_NVRTC();
  const CompileReply word = compile(scale_file("  y[0] = clock64();"));
  EXPECT_EQ(word.status, Status::rejected);
  EXPECT_THAT(word.diagnostics, HasSubstr("clock64"));
  // No word of it in any literal.
  const CompileReply split = compile(scale_file(
      "  unsigned t;\n  asm volatile(\"mov.u32 %0, %%clo\" \"ck;\" : "
      "\"=r\"(t));\n  y[0] = t;"));
  EXPECT_EQ(split.status, Status::rejected);
  EXPECT_THAT(split.diagnostics, HasSubstr("'%clock' is refused"));
}

TEST(CudaCompiler, IgnoredRegisterRequestsFail) {
  EVOKE_NEEDS_NVRTC();
  const std::string body =
      "  asm volatile(\"setmaxnreg.inc.sync.aligned.u32 232;\");\n" +
      std::string(kScaleBody);
  const std::string unknown = "\n[derive]\nthreads_rt = \"min(N, 128)\"\n";
  const CompileReply ignored =
      compile("/*evoke\nproblem = \"scale\"\n" + unknown +
              "[[variant]]\nname = \"all\"\n[[variant.launch]]\n"
              "kernel = \"scale\"\nreads = [\"x\"]\nwrites = [\"y\"]\n"
              "threadgroups = [1]\nthreads = [\"threads_rt\"]\nevoke*/\n"
              "KERNEL(scale) {\n" +
              body + "\n}\n");
  EXPECT_EQ(ignored.status, Status::failed);
  EXPECT_THAT(ignored.diagnostics, HasSubstr("C7508"));
  EXPECT_THAT(ignored.diagnostics, HasSubstr("min_blocks = 1"));
  const CompileReply known = compile(scale_file(body, "min_blocks = 1"));
  EXPECT_EQ(known.status, Status::ok) << known.diagnostics;
}

TEST(CudaCompiler, OverlappingLaunchesMustWait) {
  EVOKE_NEEDS_NVRTC();
  const auto file = [](const std::string& wait) {
    return "/*evoke\nproblem = \"scale\"\n[scratch]\n"
           "part = { type = \"float32\", shape = [\"N\"] }\n"
           "[[variant]]\nname = \"all\"\n[[variant.launch]]\n"
           "kernel = \"first\"\nreads = [\"x\"]\nwrites = [\"part\"]\n"
           "threadgroups = [1]\n[[variant.launch]]\n"
           "kernel = \"second\"\nreads = [\"part\"]\nwrites = [\"y\"]\n"
           "threadgroups = [1]\npdl = true\nevoke*/\n"
           "KERNEL(first) { part[0] = a * x[0]; }\n"
           "KERNEL(second) {\n" +
           wait + "  y[0] = part[0];\n}\n";
  };
  const CompileReply without = compile(file(""));
  EXPECT_EQ(without.status, Status::rejected);
  EXPECT_THAT(without.diagnostics,
              HasSubstr("'second' is launched with pdl = true and has no "
                        "griddepcontrol.wait"));
  const CompileReply commented = compile(file("  // griddepcontrol.wait\n"));
  EXPECT_EQ(commented.status, Status::rejected);
  const CompileReply waiting = compile(
      file("  asm volatile(\"griddepcontrol.wait;\" ::: \"memory\");\n"));
  EXPECT_EQ(waiting.status, Status::ok) << waiting.diagnostics;
}

TEST(CudaCompiler, CountsThreadgroupMemoryAgainstTheDevice) {
  EVOKE_NEEDS_NVRTC();
  const std::string body =
      "  __shared__ float more[1024];\n  more[threadIdx.x] = x[0];\n"
      "  __syncthreads();\n  y[0] = more[N & 1023] + threadgroup_memory[N];";
  const CompileReply fits =
      compile(scale_file(body,
                         "dynamic_memory = \"max_threadgroup_memory - "
                         "6144\""));
  ASSERT_EQ(fits.status, Status::ok) << fits.diagnostics;
  const Json& kernel = fits.report["kernels"]["scale"];
  EXPECT_GE(kernel["static_shared_bytes"], 4096);
  EXPECT_EQ(kernel["threadgroups_per_sm"], 1);
  EXPECT_EQ(kernel["limited_by"], "threadgroup memory");
  const CompileReply not_fitting =
      compile(scale_file(body, "dynamic_memory = \"max_threadgroup_memory\""));
  EXPECT_EQ(not_fitting.status, Status::failed);
  EXPECT_THAT(not_fitting.diagnostics,
              HasSubstr("bytes of threadgroup memory"));
}

TEST(CudaCompiler, StopsWhatDoesNotEnd) {
  EVOKE_NEEDS_NVRTC();
  CompilerOptions options = hopper_options();
  options.process.time_ms = 700;
  const CompileReply reply = compile(
      scale_file("  y[0] = Deep<19, 0>::value;", "", "",
                 "template <int N, int M> struct Deep {\n"
                 "  static constexpr long long value =\n"
                 "      Deep<N - 1, 2 * M>::value + Deep<N - 1, 2 * M + 1>::"
                 "value;\n};\n"
                 "template <int M> struct Deep<0, M> {\n"
                 "  static constexpr long long value = M;\n};\n"),
      options);
  EXPECT_EQ(reply.status, Status::timed_out) << reply.diagnostics;
}

TEST(CudaCompiler, ItsIdNamesVersionFlagsAndPrelude) {
  EVOKE_NEEDS_NVRTC();
  const CudaCompiler hopper(shared_nvrtc(), hopper_options());
  EXPECT_THAT(hopper.id(), HasSubstr("NVRTC "));
  EXPECT_THAT(hopper.id(), HasSubstr("--gpu-architecture=sm_90a"));
  CompilerOptions other = hopper_options();
  other.architecture = "sm_80";
  EXPECT_NE(hopper.id(), CudaCompiler(shared_nvrtc(), other).id());
}

TEST(CudaCompiler, OtherDialectsAreRefused) {
  EVOKE_NEEDS_NVRTC();
  const auto kernel =
      KernelSource::parse(example_file(), Dialect::cpu, "k.cpp");
  ASSERT_TRUE(kernel);
  CudaCompiler compiler(shared_nvrtc(), hopper_options());
  EXPECT_EQ(compiler.compile(*kernel, example_signature(), {}).status,
            Status::rejected);
}

// Every kernel of kernels/, each variant, at shapes that reach it.
TEST(CudaSeeds, CompileForHopper) {
  EVOKE_NEEDS_NVRTC();
  CudaCompiler compiler(shared_nvrtc(), hopper_options());
  int compiled = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           EVOKE_KERNELS_FOLDER "/attention/cuda")) {
    if (entry.path().extension() != ".cu") continue;
    SCOPED_TRACE(entry.path().filename().string());
    const auto kernel = KernelSource::read(entry.path().string());
    ASSERT_TRUE(kernel) << kernel.error().message;
    std::set<CompileUnit> units;
    for (const auto& [q_len, kv_len] : {std::pair{1, 256},
                                        {1, 4096},
                                        {1, 32768},
                                        {7, 2055},
                                        {64, 64},
                                        {512, 512},
                                        {4096, 4096}}) {
      const auto plan =
          resolve(*kernel, example_signature(), example_shape(q_len, kv_len),
                  assumed_gpu().limits);
      if (!plan) {
        EXPECT_EQ(plan.error().kind, ErrorKind::absent) << plan.error().message;
        continue;
      }
      units.insert(unit_of(*plan));
    }
    EXPECT_FALSE(units.empty());
    for (const CompileUnit& unit : units) {
      const CompileReply reply =
          compiler.compile(*kernel, example_signature(), unit);
      EXPECT_EQ(reply.status, Status::ok) << reply.diagnostics;
      const Json kernels = reply.report.value("kernels", Json::object());
      for (const auto& [name, facts] : kernels.items()) {
        EXPECT_GT(facts["registers"], 0) << name;
        if (facts.contains("threadgroups_per_sm")) {
          EXPECT_GT(facts["threadgroups_per_sm"], 0) << name;
        }
      }
      ++compiled;
    }
  }
  EXPECT_GT(compiled, 0);
}

}  // namespace
}  // namespace evoke::cuda
