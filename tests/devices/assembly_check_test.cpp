#include "evoke/devices/cpu/assembly_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke::cpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string message(const std::string& assembly) {
  const auto facts = check_assembly(assembly);
  return facts ? "accepted" : facts.error().message;
}

TEST(AssemblyCheck, AcceptsOrdinaryCodeAndNamesItsIsa) {
  const auto facts = check_assembly(
      "\t.file\t\"unit.cpp\"\n\t.text\n"
      "\t.globl\tevoke_run_attend\nevoke_run_attend:\n.LFB1:\n"
      "\tvmovups\t(%rdi), %zmm0\n\tvdpbf16ps\t%zmm1, %zmm2, %zmm0\n"
      "\trep stosq\n\tret\n\t.section\t.rodata\n.LC0:\n\t.long\t1065353216\n"
      "\t.string\t\"rdtsc\"\n");
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->instructions, 4);
  EXPECT_THAT(facts->isa, ElementsAre("avx512", "avx512_bf16"));
}

#if defined(__x86_64__)
TEST(AssemblyCheck, RefusesInstructionsAndSaysWhere) {
  EXPECT_EQ(message("\t.text\nevoke_run_attend:\n\trdtscp\n"),
            "'rdtscp' in attend is refused: kernels may not tell the time");
  EXPECT_THAT(message("_ZN12evoke_kernel12_GLOBAL__N_118evoke_body_partialEv:"
                      "\n\tsyscall\n"),
              HasSubstr("'syscall' in partial is refused"));
  for (const std::string instruction : {"rdtsc",
                                        "rdpmc",
                                        "rdrand\t%eax",
                                        "rdseed\t%rax",
                                        "cpuid",
                                        "int\t$128",
                                        "sysenter",
                                        "xbegin\t.L2",
                                        "ldmxcsr\t-4(%rsp)",
                                        "vldmxcsr\t-4(%rsp)",
                                        "clflush\t(%rdi)",
                                        "clflushopt\t(%rdi)",
                                        "wrfsbase\t%rax",
                                        "xsavec\t(%rdi)",
                                        "umwait\t%eax",
                                        "in\t%dx, %al",
                                        "lock rdtsc",
                                        "movq\t%fs:0, %rax",
                                        "movl\t%eax, %gs:16",
                                        "nop; rdtsc"}) {
    EXPECT_NE(message("\t.text\nf:\n\t" + instruction + "\n"), "accepted")
        << instruction;
  }
}

TEST(AssemblyCheck, PrefixesDoNotMatchOtherInstructions) {
  for (const std::string instruction :
       {"insertps\t$0, %xmm0, %xmm1", "vinsertf128\t$1, %xmm0, %ymm1, %ymm0",
        "incl\t%eax", "strict\t%eax", "prefetcht0\t(%rdi)", "ud2"}) {
    EXPECT_EQ(message("f:\n\t" + instruction + "\n"), "accepted")
        << instruction;
  }
}
#endif

TEST(AssemblyCheck, RefusesBytesInPlaceOfInstructions) {
  EXPECT_THAT(message("\t.text\nf:\n\t.byte 0x0f, 0x31\n\tret\n"),
              HasSubstr("data in place of instructions"));
  EXPECT_THAT(message("\t.section .text.hot,\"ax\"\nf:\n\t.quad 1\n"),
              HasSubstr("data in place of instructions"));
  EXPECT_THAT(message("\t.data\n\t.incbin \"/etc/passwd\"\n"),
              HasSubstr(".incbin"));
  EXPECT_EQ(message("\t.section\t.rodata\n\t.quad 1\n"), "accepted");
}

TEST(AssemblyCheck, SurvivesOddText) {
  for (const std::string text : {"", "\n\n", ":", "::", "\t.", "a:b:c:", ";;",
                                 "lock", "\"", "#", "x = 5", "\t.text"}) {
    EXPECT_TRUE(check_assembly(text)) << text;
  }
}

}  // namespace
}  // namespace evoke::cpu
