#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/core/kernel_source.h"
#include "tests/core/example_kernel.h"

namespace evoke {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string check(const std::string& code, Dialect dialect = Dialect::cpu) {
  const std::string plan =
      "\nproblem = \"p\"\n[[variant]]\nname = \"v\"\n[[variant.launch]]\n"
      "kernel = \"k\"\nwrites = [\"output\"]\nthreadgroups = [1]\n";
  const auto kernel = KernelSource::parse(
      kernel_file(plan, "\n" + code + "\nKERNEL(k) {}\n"), dialect, "k.cpp");
  if (!kernel) throw std::runtime_error(kernel.error().message);
  const auto checked = check_forbidden_text(*kernel);
  return checked ? "" : checked.error().message;
}

TEST(ForbiddenText, LetsHonestCodePass) {
  EXPECT_EQ(check(R"(
#include <cstdint>
#include <immintrin.h>
# include <algorithm>
#define UNROLL(n) _Static(n)
#if defined(__AVX512BF16__) && !defined(X)
#elif 1
#else
#error "never"
#endif
#undef UNROLL
namespace {
// asm volatile("rdtsc"); #include <vector>
constexpr const char* kText = "asm extern thread_local \" %clock";
template <int N>
[[gnu::always_inline]] inline float sum(const float* __restrict__ x) {
  alignas(64) static constexpr float kTable[4] = {1, 2, 3, 4};
  float total = 0;
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) [[likely]] total += x[i] * kTable[i % 4];
  __builtin_prefetch(x + N);
  return std::max<::std::int32_t>(1, 2) + total;
}
__attribute__((noinline, aligned(64), __always_inline__)) void f(float a[2]);
typedef float v8 __attribute__((vector_size(32), may_alias));
float bits(int x) { volatile int y = x; return y ? 1'000.f : 'x'; }
[[nodiscard]] [[gnu::hot, gnu::aligned(16)]] int g();
int attribute(int section) { return section; }
int h(int* a, int* b) { return a[b[0]] + a[(b[1])]; }
}
)"),
            "");
}

TEST(ForbiddenText, NamesLineAndToken) {
  EXPECT_EQ(check("\n\nvoid f() { asm(\"nop\"); }"),
            "k.cpp:12: 'asm' is refused: inline assembly cannot be checked; "
            "use intrinsics");
}

void expect_refused(std::initializer_list<const char*> codes) {
  for (const char* code : codes) {
    EXPECT_THAT(check(code), StartsWith("k.cpp:")) << code;
  }
}

TEST(ForbiddenText, RefusesWords) {
  expect_refused({"void f() { __asm__ volatile(\"\"); }",
                  "__asm(\"\");",
                  "thread_local int x;",
                  "__thread int x;",
                  "extern int x;",
                  "extern \"C\" int puts(const char*);",
                  "import std;",
                  "export int x;",
                  "module;",
                  "uint64_t t = __rdtsc();",
                  "auto t = _rdtsc();",
                  "auto t = __rdtscp(&a);",
                  "auto t = __builtin_ia32_rdtsc();",
                  "auto t = __builtin_readcyclecounter();",
                  "clock_gettime(0, &t);",
                  "_xbegin();",
                  "_mm_clflush(p);",
                  "_mm_clflushopt(p);",
                  "_rdrand64_step(&x);",
                  "__builtin_return_address(0);",
                  "__builtin_frame_address(1);",
                  "__builtin_thread_pointer();",
                  "syscall(1);",
                  "dlsym(0, \"x\");",
                  "mprotect(p, 1, 2);",
                  "pthread_self();",
                  "const char* t = __TIME__;",
                  "const char* t = __DATE__;",
                  "const char* t = __FILE__;",
                  "_Pragma(\"GCC target(\\\"avx\\\")\")",
                  "__declspec(thread) int x;",
                  "goto *p;",
                  "int evoke_launch;",
                  "int EVOKE_X;",
                  "int a$b;"});
}

TEST(ForbiddenText, RefusesDirectives) {
  expect_refused({"#include <vector>",
                  "#include <atomic>",
                  "#include <chrono>",
                  "#include <time.h>",
                  "#include \"cstdint\"",
                  "#include \"/etc/passwd\"",
                  "#include <../cstdint>",
                  "#define H <cstdint>\n#include H",
                  "#include",
                  "#include_next <cstdint>",
                  "#import <cstdint>",
                  "#embed \"/etc/passwd\"",
                  "#line 1 \"x\"",
                  "# 1 \"x\"",
                  "#ident \"x\"",
                  "#assert x(y)",
                  "#warning x",
                  "#pragma GCC target(\"avx\")",
                  "#pragma GCC optimize(3)",
                  "#pragma weak f",
                  "#pragma redefine_extname f g",
                  "#pragma omp parallel for",
                  "#pragma GCC poison x",
                  "#pragma",
                  "#pragma GCC visibility push(default)",
                  "#if __has_include(<x>)\n#endif",
                  "#define KERNEL(x) void x()",
                  "#undef KERNEL",
                  "#define for while",
                  "#define int long",
                  "#define __builtin_x y",
                  "#undef __AVX2__",
                  "#define _Float x",
                  "#define EvokeX y",
                  "#define GLUE(a, b) a##b",
                  "#define GLUE(a) a ## b",
                  "/* */ #include <vector>",
                  "#/**/include <vector>",
                  "#inc\\\nlude <vector>",
                  "#include <vec\\\ntor>"});
}

TEST(ForbiddenText, RefusesAttributes) {
  expect_refused(
      {"__attribute__((constructor)) void f() {}",
       "__attribute__((destructor(101))) void f() {}",
       "__attribute__((__constructor__)) void f() {}",
       "__attribute((section(\".data\"))) int x;",
       "__attribute__((aligned(4), section(\"x\"))) int x;",
       "int f() __attribute__((alias(\"g\")));",
       "int f() __attribute__((ifunc(\"g\")));",
       "__attribute__((weak)) int x;",
       "__attribute__((used)) int x;",
       "__attribute__((init_priority(101))) T x;",
       "__attribute__((cleanup(f))) int x;",
       "__attribute__((target(\"avx512f\"))) void f();",
       "__attribute__((target_clones(\"avx\", \"default\"))) void f();",
       "__attribute__((naked)) void f();",
       "[[gnu::constructor]] void f() {}",
       "[[gnu::section(\"x\")]] int x;",
       "[ [ gnu :: used ] ] int x;",
       "[[using gnu: constructor]] void f();",
       "[[gnu::weak]] int x;",
       "[[maybe_unused, gnu::alias(\"x\")]] int x;",
       "#define A constructor\n__attribute__((A)) void f() {}",
       "[[clang::lto_visibility_public]] int x;"});
}

TEST(ForbiddenText, RefusesDisguises) {
  expect_refused(
      {"void f() { as\\\nm(\"nop\"); }", "void f() { a\\\ns\\\nm(\"nop\"); }",
       "void f() { as\\   \nm(\"nop\"); }", "%:include <vector>",
       "?\?=include <vector>", "?\?/\n", "<: :>", "\\u0061sm(\"nop\");",
       "auto s = R\"(x)\";", "int caf\xc3\xa9;", "\"open", "%:%: x",
       "<:<:gnu::used:>:> int x;"});
}

TEST(ForbiddenText, CodeStaysInsideTheHostsBraces) {
  for (const char* code :
       {"void f() { if (1) { } }", "#define B(x) { x }\nvoid f() B(;)",
        "#if 1\nvoid f(int) {\n#else\nvoid f(long) {\n#endif\n}",
        "#if 1\n#elif 2\nint x;\n#endif\n", "char c = '{'; // }",
        "#if 1\n#if 2\n}\n#endif\n#endif"}) {
    const bool good =
        std::string_view(code).find("2\n}") == std::string_view::npos;
    EXPECT_EQ(check(code).empty(), good) << code << check(code);
  }
  EXPECT_EQ(check("\n} namespace x {"), "k.cpp:11: '}' without '{' before it");
  EXPECT_THAT(check("void f() {"), HasSubstr("'{' without '}' after it"));
  EXPECT_THAT(check("#define OPEN {\n"), HasSubstr("a macro must close"));
  EXPECT_THAT(check("#define END }\n"), HasSubstr("may only close"));
  EXPECT_THAT(check("#define END } x {\n"), HasSubstr("may only close"));
  EXPECT_THAT(check("#if 0\n{\n#endif\n}"),
              HasSubstr("an #if without #else must close the braces"));
  EXPECT_THAT(check("#if 0\n{\n#else\n#endif\n}"),
              HasSubstr("k.cpp:13: the branches of an #if"));
  EXPECT_THAT(check("#if 0\n{\n#elif 0\n{\n#endif\n}"),
              HasSubstr("an #if without #else"));
  EXPECT_THAT(check("#endif"), HasSubstr("no #if before it"));
  EXPECT_THAT(check("#if 1"), HasSubstr("#if without #endif"));
}

TEST(ForbiddenText, EachDialectHasItsOwnTable) {
  EXPECT_EQ(check("asm volatile(\"mma.sync\");", Dialect::cuda), "");
  EXPECT_THAT(check("asm(\"mov.u64 %0, %globaltimer;\");", Dialect::cuda),
              HasSubstr("may not tell the time"));
  EXPECT_THAT(check("asm(\"mov.u32 %0, %clock;\");", Dialect::cuda),
              HasSubstr("may not tell the time"));
  EXPECT_THAT(check("auto t = clock64();", Dialect::cuda),
              HasSubstr("'clock64' is refused"));
  EXPECT_EQ(check("#include <cuda_bf16.h>", Dialect::cuda), "");
  EXPECT_THAT(check("#include <cuda_bf16.h>"), HasSubstr("include one of"));
  EXPECT_EQ(check("#include <metal_stdlib>", Dialect::metal), "");
  EXPECT_THAT(check("#include <cstdint>", Dialect::metal),
              HasSubstr("include one of <metal_stdlib>"));
  EXPECT_THAT(check("asm(\"\");", Dialect::metal), HasSubstr("assembly"));
}

}  // namespace
}  // namespace evoke
