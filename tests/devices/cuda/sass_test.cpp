#include "evoke/devices/cuda/sass.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/devices/cuda/cuda_kernels.h"

namespace evoke::cuda {
namespace {

// As nvdisasm -c writes it.
constexpr const char* kText =
    "\t.target\tsm_90a\n\n"
    "//--------------------- .text.evoke_run_a --------------------------\n"
    "\t.section\t.text.evoke_run_a,\"ax\",@progbits\n"
    "\t.align\t128\n"
    "evoke_run_a:\n"
    ".text.evoke_run_a:\n"
    "        /*0000*/                   LDC R1, c[0x0][0x28] ;\n"
    "        /*0010*/              @!P0 LDG.E.128.CONSTANT R4, "
    "desc[UR4][R2.64] ;\n"
    "        /*0020*/                   HGMMA.64x128x16.F32.BF16 R24, "
    "gdesc[UR4] ;\n"
    "        /*0030*/                   UTMALDG.4D [UR8], [UR6] ;\n"
    "        /*0040*/                   MUFU.EX2 R7, R6 ;\n"
    "        /*0050*/                   STL [R1], R7 ;\n"
    ".L_x_1:\n"
    "        /*0060*/                   ACQBULK ;\n"
    "        /*0070*/                   EXIT ;\n"
    "        /*0080*/                   NOP;\n"
    "\t.section\t.text.evoke_run_b,\"ax\",@progbits\n"
    "        /*0000*/                   CS2R R2, SR_CLOCKLO ;\n";

TEST(Sass, CountsInstructionsByKind) {
  const auto kernels = read_sass(kText);
  ASSERT_EQ(kernels.size(), 2U);
  const SassFacts& a = kernels.at("evoke_run_a");
  EXPECT_EQ(a.mix.at("global load 128"), 1);
  EXPECT_EQ(a.mix.at("wgmma"), 1);
  EXPECT_EQ(a.mix.at("tensor copy"), 1);
  EXPECT_EQ(a.mix.at("exp2"), 1);
  EXPECT_EQ(a.mix.at("local store"), 1);
  EXPECT_EQ(a.mix.count("other"), 1U);
  EXPECT_TRUE(a.waits);
  EXPECT_FALSE(a.tells_time);
  EXPECT_TRUE(kernels.at("evoke_run_b").tells_time);
}

TEST(Sass, CuobjdumpsFormIsReadToo) {
  const auto kernels = read_sass(
      "\t\tFunction : evoke_run_a\n"
      "        /*0000*/                   LDS.128 R4, [R2] ;          "
      "/* 0x0000000402047984 */\n"
      "                                                               "
      "/* 0x000e280000000c00 */\n");
  EXPECT_EQ(kernels.at("evoke_run_a").mix.at("shared load"), 1);
  EXPECT_EQ(kernels.at("evoke_run_a").mix.size(), 1U);
  EXPECT_TRUE(read_sass("nothing of the kind\n/*").empty());
}

TEST(Sass, TheDisassemblersOwnWords) {
  EVOKE_NEEDS_NVRTC();
  const std::string program = find_disassembler(testing::shared_nvrtc()->path);
  if (program.empty()) GTEST_SKIP() << "no nvdisasm or cuobjdump here";
  CompilerOptions options = testing::hopper_options();
  options.folder = ::testing::TempDir();
  CudaCompiler compiler(testing::shared_nvrtc(), options);
  const CompileReply reply = compiler.compile(
      testing::parse_cuda(testing::scale_file(testing::kScaleBody)),
      testing::scale_signature(), {});
  ASSERT_EQ(reply.status, CompileReply::Status::ok) << reply.diagnostics;
  const Json& mix = reply.report["kernels"]["scale"]["instructions"];
  EXPECT_EQ(mix["global load 32"], 1);
  EXPECT_EQ(mix["global store 32"], 1);
}

}  // namespace
}  // namespace evoke::cuda
