#include "evoke/devices/cuda/compile_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke::cuda {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// As NVRTC 13.0 writes it.
constexpr const char* kLog =
    "k.cu(3): warning #550-D: variable \"D\" was set but never used\n"
    "  int D = 128;\n      ^\n\n"
    "Remark: The warnings can be suppressed with \"-diag-suppress "
    "<warning-number>\"\n\n"
    "ptxas info    : 4 bytes gmem, 16 bytes cmem[3]\n"
    "ptxas info    : Compiling entry function 'evoke_run_a' for 'sm_90a'\n"
    "ptxas info    : Function properties for evoke_run_a\n"
    "ptxas         .     880 bytes stack frame, 24 bytes spill stores, 32 "
    "bytes "
    "spill loads\n"
    "ptxas info    : Used 220 registers, used 1 barriers, 880 bytes cumulative "
    "stack size, 1024 bytes smem\n"
    "ptxas info    : Compile time = 22.729 ms\n"
    "ptxas info    : Compiling entry function 'evoke_run_b' for 'sm_90a'\n"
    "ptxas info    : Function properties for evoke_run_b\n"
    "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
    "ptxas info    : Used 16 registers, used 0 barriers\n";

TEST(CompileLog, ReadsEachKernelsResources) {
  const CompileLog log = read_compile_log(kLog);
  ASSERT_EQ(log.kernels.size(), 2U);
  const AssemblerFacts& a = log.kernels.at("evoke_run_a");
  EXPECT_EQ(a.registers, 220);
  EXPECT_EQ(a.stack_bytes, 880);
  EXPECT_EQ(a.spill_store_bytes, 24);
  EXPECT_EQ(a.spill_load_bytes, 32);
  EXPECT_EQ(a.shared_bytes, 1024);
  EXPECT_EQ(a.barriers, 1);
  const AssemblerFacts& b = log.kernels.at("evoke_run_b");
  EXPECT_EQ(b.registers, 16);
  EXPECT_EQ(b.spill_store_bytes, 0);
  EXPECT_EQ(b.shared_bytes, 0);
}

TEST(CompileLog, KeepsTheCompilersWordsAndNothingElse) {
  const CompileLog log = read_compile_log(kLog);
  EXPECT_THAT(log.diagnostics, HasSubstr("k.cu(3): warning #550-D"));
  EXPECT_THAT(log.diagnostics, Not(HasSubstr("ptxas")));
  EXPECT_THAT(log.diagnostics, Not(HasSubstr("Remark")));
  EXPECT_EQ(log.fatal_warnings, "");
}

TEST(CompileLog, TwoWarningsAreErrorsWithAWayOut) {
  const CompileLog log = read_compile_log(
      "ptxas info    : (C7508) Potential Performance Loss: 'setmaxnreg' "
      "ignored; unable to determine register count at entry.\n"
      "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async "
      "instructions are serialized due to insufficient register resources\n"
      "ptxas info    : (C7000) something else\n");
  EXPECT_THAT(log.fatal_warnings, HasSubstr("C7508"));
  EXPECT_THAT(log.fatal_warnings, HasSubstr("min_blocks = 1"));
  EXPECT_THAT(log.fatal_warnings, HasSubstr("C7510"));
  EXPECT_THAT(log.diagnostics, HasSubstr("C7000"));
}

TEST(CompileLog, NonsenseIsNoFact) {
  EXPECT_TRUE(read_compile_log("").kernels.empty());
  EXPECT_TRUE(
      read_compile_log("ptxas info : Used many registers\n\n").kernels.empty());
}

}  // namespace
}  // namespace evoke::cuda
