#include "evoke/core/kernel_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/core/example_kernel.h"

namespace evoke {
namespace {

using testing::HasSubstr;

KernelSource parsed(const std::string& text) {
  auto kernel = KernelSource::parse(text, Dialect::cpu, "k.cpp");
  if (!kernel) throw std::runtime_error(kernel.error().message);
  return *kernel;
}

std::string parse_error(const std::string& text) {
  const auto kernel = KernelSource::parse(text, Dialect::cpu, "k.cpp");
  EXPECT_FALSE(kernel);
  return kernel ? "" : kernel.error().message;
}

std::string immutable_error(const std::string& before,
                            const std::string& after) {
  const auto checked = parsed(before).check_immutable_text(parsed(after));
  return checked ? "" : checked.error().message;
}

TEST(KernelSource, ReadsAFileByItsExtension) {
  const std::string path =
      testing::TempDir() + "/kernel_source_test" + std::to_string(::getpid());
  std::ofstream(path + ".cpp") << example_file();
  const auto kernel = KernelSource::read(path + ".cpp");
  ::unlink((path + ".cpp").c_str());
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->dialect(), Dialect::cpu);
  EXPECT_EQ(kernel->path(), path + ".cpp");
  EXPECT_EQ(kernel->text(), example_file());

  const auto missing = KernelSource::read("/no/such/kernel.cu");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
  const auto strange = KernelSource::read("kernel.txt");
  ASSERT_FALSE(strange);
  EXPECT_THAT(strange.error().message,
              HasSubstr("kernel.txt: unknown dialect; kernel files end in "
                        ".cpp, .cu or .metal"));
}

TEST(KernelSource, KnowsTheDialects) {
  EXPECT_EQ(*dialect_of_path("a/b.cpp"), Dialect::cpu);
  EXPECT_EQ(*dialect_of_path("b.cu"), Dialect::cuda);
  EXPECT_EQ(*dialect_of_path("b.metal"), Dialect::metal);
  EXPECT_EQ(to_string(Dialect::cpu), "cpu");
  EXPECT_EQ(to_string(Dialect::cuda), "cuda");
  EXPECT_EQ(to_string(Dialect::metal), "metal");
}

TEST(KernelSource, KnowsTheDialectsOfDevices) {
  EXPECT_EQ(*dialect_of_device("cpu"), Dialect::cpu);
  EXPECT_EQ(*dialect_of_device("cuda:1"), Dialect::cuda);
  EXPECT_EQ(*dialect_of_device("metal"), Dialect::metal);
  EXPECT_EQ(kind_of_device("cuda:GPU-8f2a"), "cuda");
  EXPECT_EQ(dialect_of_device("tpu:0").error().kind, ErrorKind::absent);
}

TEST(KernelSource, IdentityIgnoresHowLinesEnd) {
  const std::string text = example_file();
  std::string windows;
  for (const char c : text) windows += c == '\n' ? "  \r\n" : std::string(1, c);
  EXPECT_EQ(parsed(windows).hash(), parsed(text).hash());
  EXPECT_NE(parsed(replaced(text, "x + x", "2 * x")).hash(),
            parsed(text).hash());
}

TEST(KernelSource, CodeStartsAfterThePlansComment) {
  const KernelSource kernel = parsed(example_file());
  EXPECT_EQ(kernel.code(), kExampleCode);
  // The line of "evoke*/": the plan's lines, the first of which is "/*evoke".
  EXPECT_EQ(kernel.code_line(),
            std::count(kExamplePlan.begin(), kExamplePlan.end(), '\n') + 1);
}

TEST(KernelSource, EveryLaunchedKernelIsInTheCode) {
  EXPECT_THAT(
      parse_error(replaced(example_file(), "KERNEL(prefill)", "KERNEL(fill)")),
      HasSubstr("variant[1].launch[0].kernel: the code defines no 'prefill'; "
                "write KERNEL(prefill)"));
  // Comments and strings do not count.
  EXPECT_THAT(parse_error(replaced(example_file(), "KERNEL(prefill) {}",
                                   "// KERNEL(prefill)\n"
                                   "auto s = \"KERNEL(prefill)\";")),
              HasSubstr("the code defines no 'prefill'"));
}

TEST(KernelSource, TakesAnotherPlan) {
  const KernelSource kernel = parsed(example_file());
  KernelPlan plan = kernel.plan();
  plan.parameters[0].value = 8;
  const auto changed = kernel.with_plan(plan);
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(changed->plan(), plan);
  EXPECT_EQ(changed->code(), kernel.code());
  EXPECT_EQ(changed->dialect(), kernel.dialect());
  EXPECT_NE(changed->hash(), kernel.hash());
  EXPECT_TRUE(kernel.check_immutable_text(*changed));
  // Canonical: the same plan again gives the same text.
  EXPECT_EQ(changed->with_plan(plan)->text(), changed->text());
  EXPECT_EQ(kernel.with_plan(kernel.plan())->plan(), kernel.plan());

  plan.parameters[0].value = 9;
  const auto wrong = kernel.with_plan(plan);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message,
              HasSubstr("value 9 is not among choices [1, 2, 4, 8, 16, 32]"));
}

TEST(KernelSource, ErrorsThatShowLaterNameTheLineToo) {
  const KernelSource kernel = parsed(example_file());
  EXPECT_EQ(kernel.where("problem"), "k.cpp:2: problem");
  EXPECT_EQ(kernel.where("parameters.tile_kv"), "k.cpp:8: parameters.tile_kv");
  EXPECT_EQ(kernel.where("parameters.constraints[1]"),
            "k.cpp:10: parameters.constraints[1]");
  EXPECT_EQ(kernel.where("scratch.tickets.shape[0]"),
            "k.cpp:15: scratch.tickets.shape[0]");
  EXPECT_EQ(kernel.where("variant[0].launch[1].writes"),
            "k.cpp:35: variant[0].launch[1].writes");
  // A key that is not there has the line of what is around it.
  EXPECT_EQ(kernel.where("variant[0].launch[1].nothing"),
            "k.cpp:32: variant[0].launch[1].nothing");
  EXPECT_EQ(kernel.where("nowhere"), "k.cpp:1: nowhere");
}

TEST(ImmutableText, TextInsideTheMarkersMayChange) {
  const std::string text = example_file();
  EXPECT_EQ(immutable_error(text, text), "");
  EXPECT_EQ(immutable_error(text, replaced(text, "KERNEL(decode_combine) {}",
                                           "int a;\nint b;\n"
                                           "KERNEL(decode_combine) {}")),
            "");
  EXPECT_EQ(immutable_error(text, replaced(text, "value = 16", "value = 8")),
            "");
}

TEST(ImmutableText, NamesTheFirstLineThatMayNotChange) {
  const std::string text = example_file();
  EXPECT_EQ(immutable_error(text, replaced(text, "x + x", "x")),
            "k.cpp:47: text outside the EVOLVE-BLOCK markers may not change; "
            "expected 'inline float twice(float x) { return x + x; }', found "
            "'inline float twice(float x) { return x; }'");
  EXPECT_THAT(immutable_error(text, text + "// more\n"),
              HasSubstr("k.cpp:57: text outside the EVOLVE-BLOCK markers may "
                        "not change; expected no more text, found '// more'"));
  EXPECT_THAT(immutable_error(text, replaced(text, "// The end.\n", "")),
              HasSubstr("expected '// The end.', found no more text"));
  EXPECT_THAT(immutable_error(text, replaced(text, "// EVOLVE-BLOCK-START",
                                             "// "
                                             "EVOLVE-BLOCK-START now")),
              HasSubstr("k.cpp:48: text outside"));
}

TEST(ImmutableText, BlocksCanNeitherGoNorCome) {
  const std::string text = example_file();
  const std::string one_block =
      replaced(replaced(replaced(text,
                                 "// EVOLVE-BLOCK-END\n// More shared "
                                 "text.\n// EVOLVE-BLOCK-START\n",
                                 ""),
                        "//", "//"),
               "//", "//");
  EXPECT_THAT(immutable_error(text, one_block), HasSubstr("may not change"));
  EXPECT_THAT(immutable_error(one_block, text), HasSubstr("may not change"));
  std::string none = text;
  for (const std::string marker :
       {"// EVOLVE-BLOCK-START", "// EVOLVE-BLOCK-END", "// EVOLVE-BLOCK-START",
        "// EVOLVE-BLOCK-END"}) {
    none = replaced(none, marker, "//");
  }
  EXPECT_THAT(immutable_error(text, none), HasSubstr("may not change"));
  // A block that is closed and opened again inside.
  EXPECT_THAT(immutable_error(text, replaced(text, "KERNEL(prefill) {}",
                                             "// EVOLVE-BLOCK-END\n"
                                             "// EVOLVE-BLOCK-START\n"
                                             "KERNEL(prefill) {}")),
              HasSubstr("may not change"));
  // Without markers everything may change.
  EXPECT_EQ(immutable_error(none, text), "");
  EXPECT_EQ(immutable_error(none, replaced(none, "x + x", "x")), "");
}

TEST(ImmutableText, ProblemAndDialectStay) {
  const std::string text = example_file();
  EXPECT_THAT(immutable_error(text, replaced(text, "\"attention\"", "\"fft\"")),
              HasSubstr("k.cpp:2: problem: may not change from 'attention' to "
                        "'fft'"));
  const auto metal = KernelSource::parse(text, Dialect::metal, "k.metal");
  ASSERT_TRUE(metal) << metal.error().message;
  const auto checked = parsed(text).check_immutable_text(*metal);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message,
              HasSubstr("the dialect may not change from cpu to metal"));
}

}  // namespace
}  // namespace evoke
