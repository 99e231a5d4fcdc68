#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/core/kernel_source.h"
#include "tests/core/example_kernel.h"

namespace evoke {
namespace {

using testing::HasSubstr;

std::string parse_error(std::string_view from, std::string_view to) {
  const auto kernel = KernelSource::parse(replaced(example_file(), from, to),
                                          Dialect::cpu, "k.cpp");
  EXPECT_FALSE(kernel) << to;
  return kernel ? "" : kernel.error().message;
}

struct BadPlan {
  std::string from;
  std::string to;
  std::string error;
};

const BadPlan kBadPlans[] = {
    BadPlan{"unroll = 4", "un-roll = 4",
            "k.cpp:9: parameters.un-roll: expected a C identifier: "
            "letters, digits and _"},
    BadPlan{"unroll = 4", "float = 4",
            "k.cpp:9: parameters.float: a reserved word; choose another "
            "name"},
    BadPlan{"unroll = 4", "ceil_div = 4",
            "k.cpp:9: parameters.ceil_div: a reserved word; choose "
            "another name"},
    BadPlan{"unroll = 4", "num_sms = 4",
            "k.cpp:9: parameters.num_sms: a reserved word; choose another "
            "name"},
    BadPlan{"unroll = 4", "evoke_x = 4",
            "k.cpp:9: parameters.evoke_x: names with '__', a leading '_' "
            "or 'evoke' are the host's"},
    BadPlan{"unroll = 4", "a__b = 4",
            "k.cpp:9: parameters.a__b: names with '__', a leading '_' or "
            "'evoke' are the host's"},
    BadPlan{"unroll = 4", "query_shape = 4",
            "k.cpp:9: parameters.query_shape: names ending in _shape and "
            "_strides are made by the host"},
    BadPlan{"unroll = 4", "rounds = 4",
            "k.cpp:18: derive.rounds: the name is taken by "
            "parameters.rounds"},
    BadPlan{"partial_lse = {", "splits = {",
            "k.cpp:14: scratch.splits: the name is taken by "
            "parameters.splits"},
    BadPlan{"value = 16", "value = 3",
            "k.cpp:7: parameters.splits: value 3 is not among choices [1, "
            "2, 4, 8, 16, 32]"},
    BadPlan{"[1, 2, 4, 8, 16, 32]", "[]",
            "k.cpp:7: parameters.splits: choices is empty"},
    BadPlan{"[1, 2, 4, 8, 16, 32]", "[16, 16]",
            "k.cpp:7: parameters.splits: choices holds a value twice"},
    BadPlan{"\"int32\", shape = [\"B\", \"Hkv\"], init = \"zero\"",
            "\"float32\", shape = [\"B\", \"Hkv\"], init = \"zero\"",
            "k.cpp:15: scratch.tickets: self_reset is for integers: "
            "counters and tickets"},
    BadPlan{"init = \"zero\", ", "",
            "k.cpp:15: scratch.tickets: self_reset needs init = \"zero\""},
    BadPlan{"name = \"prefill\"", "name = \"decode\"",
            "k.cpp:39: variant[1].name: two variants are called 'decode'"},
    BadPlan{"name = \"prefill\"", "name = \"pre fill\"",
            "k.cpp:39: variant[1].name: expected at most 48 letters, "
            "digits, _ - or ."},
    BadPlan{"Lk >= 1024\"", "Lk == 1024\"",
            "k.cpp:23: variant[0].when: 'Lq == 1 && Lk == 1024' tests Lk "
            "for equality, which fits one length only; use < <= > >="},
    BadPlan{"{ tile_kv = 128 }", "{ tile_vk = 128 }",
            "k.cpp:24: variant[0].parameters.tile_vk: no such parameter "
            "(did you mean 'tile_kv'?)"},
    BadPlan{"{ tile_kv = 128 }", "{ tile_kv = 100 }",
            "k.cpp:24: variant[0].parameters.tile_kv: 100 is not among "
            "choices [32, 64, 128]"},
    BadPlan{"kernel = \"decode_combine\"", "kernel = \"splits\"",
            "k.cpp:33: variant[0].launch[1].kernel: the name is taken by "
            "parameters.splits"},
    BadPlan{"kernel = \"decode_combine\"", "kernel = \"2nd\"",
            "k.cpp:33: variant[0].launch[1].kernel: expected a C "
            "identifier: letters, digits and _"},
    BadPlan{"writes = [\"output\"]", "writes = []",
            "k.cpp:35: variant[0].launch[1].writes: empty; a kernel must "
            "write something"},
    BadPlan{"writes = [\"output\"]", "writes = [\"output\", \"output\"]",
            "k.cpp:35: variant[0].launch[1].writes: 'output' stands there "
            "twice"},
    BadPlan{"reads = [\"query\", \"key\", \"value\"]",
            "reads = [\"query\", \"query\"]",
            "k.cpp:27: variant[0].launch[0].reads: 'query' stands there "
            "twice or in writes too; what is written can also be read"},
    BadPlan{"writes = [\"output\"]", "writes = [\"output\", \"partial_lse\"]",
            "k.cpp:34: variant[0].launch[1].reads: 'partial_lse' stands "
            "there twice or in writes too; what is written can also be "
            "read"},
    BadPlan{"[\"partial_output\", \"partial_lse\", \"tickets\"]",
            "[\"partial_output\", \"tickets\"]",
            "k.cpp:34: variant[0].launch[1].reads: scratch 'partial_lse' "
            "is read before any launch of this variant writes it"},
    BadPlan{"kernel = \"decode_combine\"", "kernel = \"decode_partial\"",
            "k.cpp:32: variant[0].launch[1]: 'decode_partial' is launched "
            "before with other reads or writes; they are its "
            "signature"}};

TEST(PlanCheck, NamesFileLineAndKey) {
  for (const BadPlan& bad : kBadPlans) {
    SCOPED_TRACE(bad.error);
    EXPECT_EQ(parse_error(bad.from, bad.to), bad.error);
  }
}

TEST(PlanCheckKernels, OneKernelMayRunTwice) {
  const auto kernel = KernelSource::parse(
      replaced(example_file(), "[[variant]]\nname = \"prefill\"\n",
               "[[variant]]\nname = \"prefill\"\n[[variant.launch]]\n"
               "kernel = \"prefill\"\nreads = [\"query\", \"key\", \"value\"]\n"
               "writes = [\"output\"]\nthreadgroups = [1]\n"),
      Dialect::cpu, "k.cpp");
  EXPECT_TRUE(kernel) << kernel.error().message;
}

TEST(PlanCheckKernels, ZeroedScratchMayBeReadFirst) {
  const auto kernel = KernelSource::parse(
      replaced(example_file(), "reads = [\"query\", \"key\", \"value\"]",
               "reads = [\"query\", \"key\", \"value\", \"zeros\"]")
          .replace(0, 0, ""),
      Dialect::cpu, "k.cpp");
  EXPECT_TRUE(kernel);  // 'zeros' is the signature's business
  const std::string text = replaced(
      replaced(example_file(), "[\"partial_output\", \"partial_lse\"]\nwrites",
               "[\"partial_output\", \"partial_lse\", \"zeros\"]\nwrites"),
      "[scratch]\n",
      "[scratch]\nzeros = { type = \"float32\", shape = [4], init = "
      "\"zero\" }\n");
  const auto zeroed = KernelSource::parse(text, Dialect::cpu, "k.cpp");
  EXPECT_TRUE(zeroed) << zeroed.error().message;
}

}  // namespace
}  // namespace evoke
