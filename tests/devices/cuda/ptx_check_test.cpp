#include "evoke/devices/cuda/ptx_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke::cuda {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& ptx,
                    const std::set<std::string>& waiting = {}) {
  const auto checked = check_ptx(ptx, waiting);
  return checked ? "" : checked.error().message;
}

std::string entry(const std::string& name, const std::string& body) {
  return ".visible .entry " + name + "(\n.param .u64 " + name +
         "_param_0\n)\n{\n" + body + "\nret;\n}\n";
}

TEST(PtxCheck, PlainKernelsPass) {
  EXPECT_EQ(refusal(entry("evoke_run_a", "mov.u32 %r1, %tid.x;")), "");
}

TEST(PtxCheck, ClocksAreFoundWhereverTheyStand) {
  for (const char* clock : {"%clock", "%clock64", "%clock_hi", "%globaltimer",
                            "%globaltimer_lo", "%pm0", "%pm3_64"}) {
    EXPECT_THAT(refusal(entry("a", std::string("mov.u32 %r1, ") + clock + ";")),
                HasSubstr("may not tell the time"))
        << clock;
  }
  EXPECT_EQ(refusal(entry("a", "// mov.u32 %r1, %clock;\n/* %clock */")), "");
}

TEST(PtxCheck, VariablesAreRefusedOnlyWhenCodeNamesThem) {
  const std::string declared =
      ".global .align 4 .u32 kWarp = 32;\n"
      ".global .align 4 .b8 table[8] = {0, 0, 128, 63};\n";
  EXPECT_EQ(refusal(declared + entry("a", "mov.u32 %r1, 32;")), "");
  EXPECT_THAT(refusal(declared + entry("a", "ld.global.f32 %f1, [table+4];")),
              HasSubstr("the device variable 'table' is refused"));
  // Declared inside a body, and by its mangled name.
  EXPECT_THAT(refusal(entry("a",
                            ".global .u32 _ZZ1aE5count;\n"
                            "st.global.u32 [_ZZ1aE5count], %r1;")),
              HasSubstr("'count'"));
  // Reached through another one.
  EXPECT_THAT(refusal(".global .u32 hidden;\n"
                      ".global .u64 place = generic(hidden);\n" +
                      entry("a", "")),
              HasSubstr("'hidden'"));
}

TEST(PtxCheck, EachOverlappingKernelWaitsByItself) {
  const std::string waits = "griddepcontrol.wait;";
  const std::string both =
      entry("evoke_run_a", waits) + entry("evoke_run_b", "");
  EXPECT_EQ(refusal(both, {"evoke_run_a"}), "");
  EXPECT_THAT(refusal(both, {"evoke_run_b"}),
              HasSubstr("'b' is launched with pdl = true"));
  EXPECT_THAT(refusal(entry("evoke_run_b", "// " + waits), {"evoke_run_b"}),
              HasSubstr("griddepcontrol.wait"));
}

TEST(PtxCheck, WhatReachesConstantsOrTheSystemIsRefused) {
  EXPECT_NE(refusal(entry("a", "cvta.const.u64 %rd1, %rd2;")), "");
  EXPECT_NE(refusal(entry("a", "call.uni (r), vprintf, (p);")), "");
  EXPECT_NE(refusal(entry("a", "tensormap.replace.tile.global_address...")),
            "");
}

TEST(PtxCheck, BrokenTextIsNoCrash) {
  EXPECT_EQ(refusal(""), "");
  EXPECT_EQ(refusal("/* never ends"), "");
  EXPECT_EQ(refusal("}}}} \" .entry"), "");
}

}  // namespace
}  // namespace evoke::cuda
