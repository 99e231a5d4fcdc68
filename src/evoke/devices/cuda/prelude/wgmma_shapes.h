// The widths of wgmma: for each N a multiple of 8 the two forms of
// wgmma.mma_async m64nNk16, bfloat16 into float. Included by wgmma.h alone;
// a table, because the operands of inline assembly have literal numbers.
#pragma once

#include "types.h"

// Register lists and operand lists, each the one before and four more.

#define EVOKE_REGISTERS_8 "%0, %1, %2, %3"
#define EVOKE_SUMS_8 "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define EVOKE_REGISTERS_16 EVOKE_REGISTERS_8 ", %4, %5, %6, %7"
#define EVOKE_SUMS_16 \
  EVOKE_SUMS_8, "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
#define EVOKE_REGISTERS_24 EVOKE_REGISTERS_16 ", %8, %9, %10, %11"
#define EVOKE_SUMS_24 \
  EVOKE_SUMS_16, "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11])
#define EVOKE_REGISTERS_32 EVOKE_REGISTERS_24 ", %12, %13, %14, %15"
#define EVOKE_SUMS_32 \
  EVOKE_SUMS_24, "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
#define EVOKE_REGISTERS_40 EVOKE_REGISTERS_32 ", %16, %17, %18, %19"
#define EVOKE_SUMS_40 \
  EVOKE_SUMS_32, "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19])
#define EVOKE_REGISTERS_48 EVOKE_REGISTERS_40 ", %20, %21, %22, %23"
#define EVOKE_SUMS_48 \
  EVOKE_SUMS_40, "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23])
#define EVOKE_REGISTERS_56 EVOKE_REGISTERS_48 ", %24, %25, %26, %27"
#define EVOKE_SUMS_56 \
  EVOKE_SUMS_48, "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27])
#define EVOKE_REGISTERS_64 EVOKE_REGISTERS_56 ", %28, %29, %30, %31"
#define EVOKE_SUMS_64 \
  EVOKE_SUMS_56, "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define EVOKE_REGISTERS_72 EVOKE_REGISTERS_64 ", %32, %33, %34, %35"
#define EVOKE_SUMS_72 \
  EVOKE_SUMS_64, "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35])
#define EVOKE_REGISTERS_80 EVOKE_REGISTERS_72 ", %36, %37, %38, %39"
#define EVOKE_SUMS_80 \
  EVOKE_SUMS_72, "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39])
#define EVOKE_REGISTERS_88 EVOKE_REGISTERS_80 ", %40, %41, %42, %43"
#define EVOKE_SUMS_88 \
  EVOKE_SUMS_80, "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43])
#define EVOKE_REGISTERS_96 EVOKE_REGISTERS_88 ", %44, %45, %46, %47"
#define EVOKE_SUMS_96 \
  EVOKE_SUMS_88, "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47])
#define EVOKE_REGISTERS_104 EVOKE_REGISTERS_96 ", %48, %49, %50, %51"
#define EVOKE_SUMS_104 \
  EVOKE_SUMS_96, "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51])
#define EVOKE_REGISTERS_112 EVOKE_REGISTERS_104 ", %52, %53, %54, %55"
#define EVOKE_SUMS_112 \
  EVOKE_SUMS_104, "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55])
#define EVOKE_REGISTERS_120 EVOKE_REGISTERS_112 ", %56, %57, %58, %59"
#define EVOKE_SUMS_120 \
  EVOKE_SUMS_112, "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59])
#define EVOKE_REGISTERS_128 EVOKE_REGISTERS_120 ", %60, %61, %62, %63"
#define EVOKE_SUMS_128 \
  EVOKE_SUMS_120, "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define EVOKE_REGISTERS_136 EVOKE_REGISTERS_128 ", %64, %65, %66, %67"
#define EVOKE_SUMS_136 \
  EVOKE_SUMS_128, "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67])
#define EVOKE_REGISTERS_144 EVOKE_REGISTERS_136 ", %68, %69, %70, %71"
#define EVOKE_SUMS_144 \
  EVOKE_SUMS_136, "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71])
#define EVOKE_REGISTERS_152 EVOKE_REGISTERS_144 ", %72, %73, %74, %75"
#define EVOKE_SUMS_152 \
  EVOKE_SUMS_144, "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75])
#define EVOKE_REGISTERS_160 EVOKE_REGISTERS_152 ", %76, %77, %78, %79"
#define EVOKE_SUMS_160 \
  EVOKE_SUMS_152, "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79])
#define EVOKE_REGISTERS_168 EVOKE_REGISTERS_160 ", %80, %81, %82, %83"
#define EVOKE_SUMS_168 \
  EVOKE_SUMS_160, "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83])
#define EVOKE_REGISTERS_176 EVOKE_REGISTERS_168 ", %84, %85, %86, %87"
#define EVOKE_SUMS_176 \
  EVOKE_SUMS_168, "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87])
#define EVOKE_REGISTERS_184 EVOKE_REGISTERS_176 ", %88, %89, %90, %91"
#define EVOKE_SUMS_184 \
  EVOKE_SUMS_176, "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91])
#define EVOKE_REGISTERS_192 EVOKE_REGISTERS_184 ", %92, %93, %94, %95"
#define EVOKE_SUMS_192 \
  EVOKE_SUMS_184, "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
#define EVOKE_REGISTERS_200 EVOKE_REGISTERS_192 ", %96, %97, %98, %99"
#define EVOKE_SUMS_200 \
  EVOKE_SUMS_192, "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99])
#define EVOKE_REGISTERS_208 EVOKE_REGISTERS_200 ", %100, %101, %102, %103"
#define EVOKE_SUMS_208 \
  EVOKE_SUMS_200, "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103])
#define EVOKE_REGISTERS_216 EVOKE_REGISTERS_208 ", %104, %105, %106, %107"
#define EVOKE_SUMS_216 \
  EVOKE_SUMS_208, "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107])
#define EVOKE_REGISTERS_224 EVOKE_REGISTERS_216 ", %108, %109, %110, %111"
#define EVOKE_SUMS_224 \
  EVOKE_SUMS_216, "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111])
#define EVOKE_REGISTERS_232 EVOKE_REGISTERS_224 ", %112, %113, %114, %115"
#define EVOKE_SUMS_232 \
  EVOKE_SUMS_224, "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115])
#define EVOKE_REGISTERS_240 EVOKE_REGISTERS_232 ", %116, %117, %118, %119"
#define EVOKE_SUMS_240 \
  EVOKE_SUMS_232, "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119])
#define EVOKE_REGISTERS_248 EVOKE_REGISTERS_240 ", %120, %121, %122, %123"
#define EVOKE_SUMS_248 \
  EVOKE_SUMS_240, "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123])
#define EVOKE_REGISTERS_256 EVOKE_REGISTERS_248 ", %124, %125, %126, %127"
#define EVOKE_SUMS_256 \
  EVOKE_SUMS_248, "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])

// What follows the sums: %p0 to %p5 in the order given.
#define EVOKE_WGMMA(N, p0, p1, p2, p3, p4, p5)                              \
  template <>                                                               \
  struct WgmmaShape<N> {                                                    \
    template <int b_transposed>                                             \
    EVOKE_DEVICE static void from_shared(float (&d)[N / 2], uint64_t a,     \
                                         uint64_t b, int accumulate) {      \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" p2                  \
                   ", 0;\n"                                                 \
                   "wgmma.mma_async.sync.aligned.m64n" #N                   \
                   "k16.f32.bf16.bf16 {" EVOKE_REGISTERS_##N                \
                   "}, %" p0 ", %" p1 ", p, 1, 1, 0, %" p3 ";\n}"           \
                   : EVOKE_SUMS_##N                                         \
                   : "l"(a), "l"(b), "r"(accumulate), "n"(b_transposed));   \
    }                                                                       \
    template <int b_transposed>                                             \
    EVOKE_DEVICE static void from_registers(float (&d)[N / 2], uint32_t a0, \
                                            uint32_t a1, uint32_t a2,       \
                                            uint32_t a3, uint64_t b,        \
                                            int accumulate) {               \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" p5                  \
                   ", 0;\n"                                                 \
                   "wgmma.mma_async.sync.aligned.m64n" #N                   \
                   "k16.f32.bf16.bf16 {" EVOKE_REGISTERS_##N                \
                   "}, {%" p0 ", %" p1 ", %" p2 ", %" p3 "}, %" p4          \
                   ", p, 1, 1, %" EVOKE_LAST_##N ";\n}"                     \
                   : EVOKE_SUMS_##N                                         \
                   : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(b),            \
                     "r"(accumulate), "n"(b_transposed));                   \
    }                                                                       \
  };

#define EVOKE_LAST_8 "10"
#define EVOKE_LAST_16 "14"
#define EVOKE_LAST_24 "18"
#define EVOKE_LAST_32 "22"
#define EVOKE_LAST_40 "26"
#define EVOKE_LAST_48 "30"
#define EVOKE_LAST_56 "34"
#define EVOKE_LAST_64 "38"
#define EVOKE_LAST_72 "42"
#define EVOKE_LAST_80 "46"
#define EVOKE_LAST_88 "50"
#define EVOKE_LAST_96 "54"
#define EVOKE_LAST_104 "58"
#define EVOKE_LAST_112 "62"
#define EVOKE_LAST_120 "66"
#define EVOKE_LAST_128 "70"
#define EVOKE_LAST_136 "74"
#define EVOKE_LAST_144 "78"
#define EVOKE_LAST_152 "82"
#define EVOKE_LAST_160 "86"
#define EVOKE_LAST_168 "90"
#define EVOKE_LAST_176 "94"
#define EVOKE_LAST_184 "98"
#define EVOKE_LAST_192 "102"
#define EVOKE_LAST_200 "106"
#define EVOKE_LAST_208 "110"
#define EVOKE_LAST_216 "114"
#define EVOKE_LAST_224 "118"
#define EVOKE_LAST_232 "122"
#define EVOKE_LAST_240 "126"
#define EVOKE_LAST_248 "130"
#define EVOKE_LAST_256 "134"

template <int n>
struct WgmmaShape;

EVOKE_WGMMA(8, "4", "5", "6", "7", "8", "9")
EVOKE_WGMMA(16, "8", "9", "10", "11", "12", "13")
EVOKE_WGMMA(24, "12", "13", "14", "15", "16", "17")
EVOKE_WGMMA(32, "16", "17", "18", "19", "20", "21")
EVOKE_WGMMA(40, "20", "21", "22", "23", "24", "25")
EVOKE_WGMMA(48, "24", "25", "26", "27", "28", "29")
EVOKE_WGMMA(56, "28", "29", "30", "31", "32", "33")
EVOKE_WGMMA(64, "32", "33", "34", "35", "36", "37")
EVOKE_WGMMA(72, "36", "37", "38", "39", "40", "41")
EVOKE_WGMMA(80, "40", "41", "42", "43", "44", "45")
EVOKE_WGMMA(88, "44", "45", "46", "47", "48", "49")
EVOKE_WGMMA(96, "48", "49", "50", "51", "52", "53")
EVOKE_WGMMA(104, "52", "53", "54", "55", "56", "57")
EVOKE_WGMMA(112, "56", "57", "58", "59", "60", "61")
EVOKE_WGMMA(120, "60", "61", "62", "63", "64", "65")
EVOKE_WGMMA(128, "64", "65", "66", "67", "68", "69")
EVOKE_WGMMA(136, "68", "69", "70", "71", "72", "73")
EVOKE_WGMMA(144, "72", "73", "74", "75", "76", "77")
EVOKE_WGMMA(152, "76", "77", "78", "79", "80", "81")
EVOKE_WGMMA(160, "80", "81", "82", "83", "84", "85")
EVOKE_WGMMA(168, "84", "85", "86", "87", "88", "89")
EVOKE_WGMMA(176, "88", "89", "90", "91", "92", "93")
EVOKE_WGMMA(184, "92", "93", "94", "95", "96", "97")
EVOKE_WGMMA(192, "96", "97", "98", "99", "100", "101")
EVOKE_WGMMA(200, "100", "101", "102", "103", "104", "105")
EVOKE_WGMMA(208, "104", "105", "106", "107", "108", "109")
EVOKE_WGMMA(216, "108", "109", "110", "111", "112", "113")
EVOKE_WGMMA(224, "112", "113", "114", "115", "116", "117")
EVOKE_WGMMA(232, "116", "117", "118", "119", "120", "121")
EVOKE_WGMMA(240, "120", "121", "122", "123", "124", "125")
EVOKE_WGMMA(248, "124", "125", "126", "127", "128", "129")
EVOKE_WGMMA(256, "128", "129", "130", "131", "132", "133")

#undef EVOKE_REGISTERS_8
#undef EVOKE_SUMS_8
#undef EVOKE_LAST_8
#undef EVOKE_REGISTERS_16
#undef EVOKE_SUMS_16
#undef EVOKE_LAST_16
#undef EVOKE_REGISTERS_24
#undef EVOKE_SUMS_24
#undef EVOKE_LAST_24
#undef EVOKE_REGISTERS_32
#undef EVOKE_SUMS_32
#undef EVOKE_LAST_32
#undef EVOKE_REGISTERS_40
#undef EVOKE_SUMS_40
#undef EVOKE_LAST_40
#undef EVOKE_REGISTERS_48
#undef EVOKE_SUMS_48
#undef EVOKE_LAST_48
#undef EVOKE_REGISTERS_56
#undef EVOKE_SUMS_56
#undef EVOKE_LAST_56
#undef EVOKE_REGISTERS_64
#undef EVOKE_SUMS_64
#undef EVOKE_LAST_64
#undef EVOKE_REGISTERS_72
#undef EVOKE_SUMS_72
#undef EVOKE_LAST_72
#undef EVOKE_REGISTERS_80
#undef EVOKE_SUMS_80
#undef EVOKE_LAST_80
#undef EVOKE_REGISTERS_88
#undef EVOKE_SUMS_88
#undef EVOKE_LAST_88
#undef EVOKE_REGISTERS_96
#undef EVOKE_SUMS_96
#undef EVOKE_LAST_96
#undef EVOKE_REGISTERS_104
#undef EVOKE_SUMS_104
#undef EVOKE_LAST_104
#undef EVOKE_REGISTERS_112
#undef EVOKE_SUMS_112
#undef EVOKE_LAST_112
#undef EVOKE_REGISTERS_120
#undef EVOKE_SUMS_120
#undef EVOKE_LAST_120
#undef EVOKE_REGISTERS_128
#undef EVOKE_SUMS_128
#undef EVOKE_LAST_128
#undef EVOKE_REGISTERS_136
#undef EVOKE_SUMS_136
#undef EVOKE_LAST_136
#undef EVOKE_REGISTERS_144
#undef EVOKE_SUMS_144
#undef EVOKE_LAST_144
#undef EVOKE_REGISTERS_152
#undef EVOKE_SUMS_152
#undef EVOKE_LAST_152
#undef EVOKE_REGISTERS_160
#undef EVOKE_SUMS_160
#undef EVOKE_LAST_160
#undef EVOKE_REGISTERS_168
#undef EVOKE_SUMS_168
#undef EVOKE_LAST_168
#undef EVOKE_REGISTERS_176
#undef EVOKE_SUMS_176
#undef EVOKE_LAST_176
#undef EVOKE_REGISTERS_184
#undef EVOKE_SUMS_184
#undef EVOKE_LAST_184
#undef EVOKE_REGISTERS_192
#undef EVOKE_SUMS_192
#undef EVOKE_LAST_192
#undef EVOKE_REGISTERS_200
#undef EVOKE_SUMS_200
#undef EVOKE_LAST_200
#undef EVOKE_REGISTERS_208
#undef EVOKE_SUMS_208
#undef EVOKE_LAST_208
#undef EVOKE_REGISTERS_216
#undef EVOKE_SUMS_216
#undef EVOKE_LAST_216
#undef EVOKE_REGISTERS_224
#undef EVOKE_SUMS_224
#undef EVOKE_LAST_224
#undef EVOKE_REGISTERS_232
#undef EVOKE_SUMS_232
#undef EVOKE_LAST_232
#undef EVOKE_REGISTERS_240
#undef EVOKE_SUMS_240
#undef EVOKE_LAST_240
#undef EVOKE_REGISTERS_248
#undef EVOKE_SUMS_248
#undef EVOKE_LAST_248
#undef EVOKE_REGISTERS_256
#undef EVOKE_SUMS_256
#undef EVOKE_LAST_256
#undef EVOKE_WGMMA
