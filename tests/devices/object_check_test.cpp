#include "evoke/devices/cpu/object_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/devices/cpu/limited_process.h"
#include "evoke/devices/cpu/toolchain.h"

namespace evoke::cpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Objects made by the real compiler and linker from plain C++, without the
// steps that come before this check.
class ObjectCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/evoke-object-XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    auto toolchain = find_toolchain(program_path());
    ASSERT_TRUE(toolchain) << toolchain.error().message;
    toolchain_ = *toolchain;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<std::byte> build(const std::string& code,
                               const std::vector<std::string>& more = {}) {
    std::ofstream(folder_ + "/x.cpp") << code;
    SubprocessOptions options;
    options.arguments = {toolchain_.program};
    const auto add = [&](const std::vector<std::string>& flags) {
      options.arguments.insert(options.arguments.end(), flags.begin(),
                               flags.end());
    };
    add(toolchain_.compile_flags);
    add(toolchain_.link_flags);
    add({"x.cpp", "-o", "x.so"});
    add(more);
    options.environment = {"PATH=" + program_path(), "TMPDIR=" + folder_};
    options.working_folder = folder_;
    const auto reply = run_limited(options, {});
    EXPECT_TRUE(reply && reply->status.ok()) << (reply ? reply->output : "");
    const auto text = read_file(folder_ + "/x.so");
    if (!text) return {};
    const auto* const data = reinterpret_cast<const std::byte*>(text->data());
    return {data, data + text->size()};
  }
  std::string refusal(const std::string& code,
                      const std::vector<std::string>& more = {}) {
    const auto facts = check_object(build(code, more));
    return facts ? "accepted" : facts.error().message;
  }

  std::string folder_;
  Toolchain toolchain_;
};

const std::string kEntry =
    "extern \"C\" __attribute__((visibility(\"default\"))) void "
    "evoke_run_x(float* to, int n)";

TEST_F(ObjectCheckTest, AcceptsCodeConstantsAndListedImports) {
  const auto facts = check_object(
      build("#include <cmath>\n#include <cstring>\n"
            "const float kTable[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};\n" +
            kEntry + "{ std::memset(to, 0, n); to[0] = expf(kTable[n]); }"));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_GT(facts->code_bytes, 0);
  EXPECT_GT(facts->constant_bytes, 0);
  EXPECT_THAT(facts->entry_points, ElementsAre("evoke_run_x"));
  EXPECT_THAT(facts->imports, ElementsAre("expf", "memset"));
}

TEST_F(ObjectCheckTest, RefusesMemoryThatStaysWritable) {
  const std::string use = kEntry + "{ to[0] = static_cast<float>(++calls); }";
  EXPECT_EQ(refusal("static int calls = 0;\n" + use),
            "writable data: 'calls'; kernels may not remember anything between "
            "calls: make it const or constexpr, or use scratch");
  EXPECT_THAT(refusal("static int calls = 7;\n" + use),
              HasSubstr("writable data: 'calls'"));
  EXPECT_THAT(refusal(kEntry + "{ static int seen = 3; to[0] = seen++; }"),
              HasSubstr("writable data: 'seen'"));
  EXPECT_THAT(refusal("static int calls = 0;\n" + use, {"-Wl,-s"}),
              HasSubstr("writable data; kernels may not"));
  EXPECT_THAT(refusal(use.substr(0, use.find('{')) + "{ to[0] = 1; }",
                      {"-Wl,-z,norelro"}),
              HasSubstr("writable data"));
}

TEST_F(ObjectCheckTest, RefusesThreadLocalStorage) {
  EXPECT_THAT(refusal("static thread_local int calls;\n" + kEntry +
                      "{ to[0] = ++calls; }"),
              HasSubstr("thread-local storage"));
}

TEST_F(ObjectCheckTest, RefusesCodeThatRunsWhenLoaded) {
  EXPECT_NE(refusal(kEntry + "{ to[0] = 1; }\n"
                             "__attribute__((constructor)) void start() { "
                             "__builtin_trap(); }"),
            "accepted");
  EXPECT_NE(refusal(kEntry + "{ to[0] = 1; }\n"
                             "__attribute__((destructor)) void stop() { "
                             "__builtin_trap(); }"),
            "accepted");
  EXPECT_THAT(refusal("extern \"C\" void start() { __builtin_trap(); }\n" +
                          kEntry + "{ to[0] = 1; }",
                      {"-Wl,-init,start"}),
              HasSubstr("runs when the object is loaded"));
}

TEST_F(ObjectCheckTest, RefusesIndirectFunctions) {
  EXPECT_NE(refusal("extern \"C\" int one() { return 1; }\n"
                    "extern \"C\" int (*choose())() { return one; }\n"
                    "int chosen() __attribute__((ifunc(\"choose\")));\n" +
                    kEntry + "{ to[0] = chosen(); }"),
            "accepted");
}

TEST_F(ObjectCheckTest, RefusesImportsOutsideTheList) {
  EXPECT_EQ(refusal("extern \"C\" int getpid();\n" + kEntry +
                    "{ to[0] = getpid(); }"),
            "'getpid' comes from outside; kernels may call memcpy, memmove, "
            "memset and the functions of <cmath>");
  EXPECT_THAT(refusal("extern int other;\n" + kEntry + "{ to[0] = other; }"),
              HasSubstr("'other' comes from outside"));
}

TEST_F(ObjectCheckTest, RefusesOtherExports) {
  EXPECT_THAT(refusal("extern \"C\" __attribute__((visibility(\"default\"))) "
                      "void* malloc(unsigned long) { return nullptr; }\n" +
                      kEntry + "{ to[0] = 1; }"),
              HasSubstr("'malloc' is visible outside"));
  EXPECT_THAT(refusal("extern __attribute__((visibility(\"default\"))) const "
                      "int evoke_run_data = 3;\n" +
                      kEntry + "{ to[0] = 1; }"),
              HasSubstr("is visible outside"));
}

TEST_F(ObjectCheckTest, RefusesNeededLibraries) {
  EXPECT_THAT(refusal("extern \"C\" double cos(double);\n" + kEntry +
                          "{ to[0] = cos(to[1]); }",
                      {"-Wl,--no-as-needed", "-lm"}),
              HasSubstr("a dynamic section entry"));
}

TEST_F(ObjectCheckTest, SurvivesDamage) {
  const auto object = build(kEntry + "{ to[0] = 1; }");
  ASSERT_TRUE(check_object(object));
  EXPECT_FALSE(check_object({}));
  for (std::size_t size = 0; size < object.size(); size += 97) {
    EXPECT_FALSE(check_object(std::span(object).first(size))) << size;
  }
  // Any byte of the headers may be anything: an answer, never a crash.
  for (std::size_t i = 0; i < 1024 && i < object.size(); ++i) {
    auto damaged = object;
    damaged[i] = static_cast<std::byte>(0xff);
    (void)check_object(damaged);
  }
  const std::string text = "#!/bin/sh\n" + std::string(200, 'x');
  EXPECT_THAT(check_object(std::as_bytes(std::span(text))).error().message,
              HasSubstr("not a 64-bit ELF"));
}

TEST(AllowedImports, AreMemoryAndMath) {
  for (const char* name :
       {"memcpy", "memmove", "memset", "expf", "exp2f", "logf", "exp",
        "sincosf", "fmaxf", "tanhf", "erff", "roundevenf", "acos", "trunc"}) {
    EXPECT_TRUE(is_allowed_import(name)) << name;
  }
  for (const char* name :
       {"", "f", "malloc", "printf", "time", "clock", "rand", "srand", "getenv",
        "dlsym", "syscall", "memcpyf", "__errno_location", "abort", "lgamma"}) {
    EXPECT_FALSE(is_allowed_import(name)) << name;
  }
}

}  // namespace
}  // namespace evoke::cpu
