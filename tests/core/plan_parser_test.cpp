#include "evoke/core/plan_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/core/example_kernel.h"

namespace evoke {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

KernelPlan plan_of(std::string_view toml) {
  auto parsed = parse_plan(toml, 1, Dialect::cpu, "k.cpp");
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return parsed->plan;
}

std::string parse_error(std::string_view toml, Dialect dialect = Dialect::cpu) {
  const auto parsed = parse_plan(toml, 1, dialect, "k.cpp");
  EXPECT_FALSE(parsed) << toml;
  return parsed ? "" : parsed.error().message;
}

std::string example_with(std::string_view from, std::string_view to) {
  return replaced(std::string(kExamplePlan), from, to);
}

TEST(PlanParser, ReadsEveryKey) {
  const KernelPlan plan = plan_of(kExamplePlan);
  EXPECT_EQ(plan.problem, "attention");
  EXPECT_EQ(plan.summary, "decode: split-KV, then combine; prefill: one pass");
  EXPECT_TRUE(plan.atomics);

  // Sorted by name.
  ASSERT_EQ(plan.parameters.size(), 3U);
  EXPECT_EQ(plan.parameters[0],
            (Parameter{"splits", 16, {1, 2, 4, 8, 16, 32}}));
  EXPECT_EQ(plan.parameters[1], (Parameter{"tile_kv", 64, {32, 64, 128}}));
  EXPECT_EQ(plan.parameters[2], (Parameter{"unroll", 4, {4}}));
  EXPECT_EQ(plan.find_parameter("tile_kv"), &plan.parameters[1]);
  EXPECT_EQ(plan.find_parameter("nothing"), nullptr);
  ASSERT_EQ(plan.constraints.size(), 2U);
  EXPECT_EQ(plan.constraints[0].text(), "tile_kv * D * 4 <= 65536");

  // In the order of the text.
  ASSERT_EQ(plan.scratch.size(), 3U);
  EXPECT_EQ(plan.scratch[0].name, "partial_output");
  EXPECT_EQ(plan.scratch[0].type, DType::float32);
  EXPECT_EQ(plan.scratch[0].shape.size(), 5U);
  EXPECT_EQ(plan.scratch[0].init, ScratchInit::poison);
  EXPECT_FALSE(plan.scratch[0].self_reset);
  EXPECT_EQ(plan.scratch[2].name, "tickets");
  EXPECT_EQ(plan.scratch[2].type, DType::int32);
  EXPECT_EQ(plan.scratch[2].init, ScratchInit::zero);
  EXPECT_TRUE(plan.scratch[2].self_reset);
  ASSERT_EQ(plan.derived.size(), 2U);
  EXPECT_EQ(plan.derived[0].name, "rounds");
  EXPECT_EQ(plan.derived[1].name, "more_rounds");

  ASSERT_EQ(plan.variants.size(), 2U);
  const Variant& decode = plan.variants[0];
  EXPECT_EQ(decode.name, "decode");
  EXPECT_EQ(decode.when.text(), "Lq == 1 && Lk >= 1024");
  EXPECT_THAT(decode.parameters, ElementsAre(testing::Pair("tile_kv", 128)));
  ASSERT_EQ(decode.launches.size(), 2U);
  EXPECT_EQ(decode.launches[0].kernel, "decode_partial");
  EXPECT_THAT(decode.launches[0].reads, ElementsAre("query", "key", "value"));
  EXPECT_THAT(decode.launches[0].writes,
              ElementsAre("partial_output", "partial_lse", "tickets"));
  EXPECT_EQ(decode.launches[0].threadgroups[1].text(), "rounds");
  EXPECT_EQ(decode.launches[0].threads[0].text(), "128");
  EXPECT_EQ(decode.launches[0].dynamic_memory.text(), "2 * tile_kv * D * 2");
}

TEST(PlanParser, GivesDefaults) {
  const KernelPlan plan = plan_of(kExamplePlan);
  const Variant& prefill = plan.variants[1];
  EXPECT_EQ(prefill.when, Expression::constant(1));
  EXPECT_TRUE(prefill.parameters.empty());
  EXPECT_EQ(prefill.launches[0].threads[0], Expression::constant(1));
  EXPECT_EQ(prefill.launches[0].dynamic_memory, Expression());
  const Launch& combine = plan.variants[0].launches[1];
  EXPECT_EQ(combine.threadgroups[1], Expression::constant(1));
  EXPECT_EQ(combine.threadgroups[2], Expression::constant(1));
}

TEST(PlanParser, AcceptsTablesInEitherForm) {
  const KernelPlan plan = plan_of(R"(
problem = "p"
[parameters.tile]
value = 2
choices = [1, 2]
[scratch.s]
type = "float16"
shape = [3]
[[variant]]
name = "v"
[variant.parameters]
tile = 1
[[variant.launch]]
kernel = "k"
writes = ["s"]
threadgroups = [1]
)");
  EXPECT_EQ(plan.parameters[0], (Parameter{"tile", 2, {1, 2}}));
  EXPECT_EQ(plan.scratch[0].shape[0], Expression::constant(3));
  EXPECT_EQ(plan.variants[0].parameters.at("tile"), 1);
}

struct BadPlan {
  std::string from;
  std::string to;
  std::string error;
};

const BadPlan kBadPlans[] = {
    BadPlan{"problem = \"attention\"\n", "\n", "k.cpp:1: problem: missing"},
    BadPlan{"\"attention\"", "3",
            "k.cpp:2: problem: expected a string, found an integer"},
    BadPlan{"\"attention\"", "\"\"", "k.cpp:2: problem: empty"},
    BadPlan{"summary = \"", "summary = \"a\\nb",
            "k.cpp:3: summary: expected one line of plain text"},
    BadPlan{"summary = \"", "summary = \"\\u202e",
            "k.cpp:3: summary: expected one line of plain text"},
    BadPlan{"atomics = true", "atomics = 1",
            "k.cpp:4: atomics: expected true or false, found an integer"},
    BadPlan{"atomics", "atomic",
            "k.cpp:4: atomic: unknown key (did you mean 'atomics'?)"},
    BadPlan{"[parameters]", "[parameter]",
            "k.cpp:6: parameter: unknown key (did you mean "
            "'parameters'?)"},
    BadPlan{"value = 16", "valu = 16",
            "k.cpp:7: parameters.splits.value: missing"},
    BadPlan{"value = 16", "value = 16, step = 2",
            "k.cpp:7: parameters.splits.step: unknown key"},
    BadPlan{"value = 16", "value = 1.5",
            "k.cpp:7: parameters.splits.value: expected an integer, found "
            "a float"},
    BadPlan{"value = 16", "value = 4294967296",
            "k.cpp:7: parameters.splits.value: 4294967296 is outside "
            "-2147483648 to 2147483647"},
    BadPlan{"[1, 2, 4, 8, 16, 32]", "[1, \"2\"]",
            "k.cpp:7: parameters.splits.choices: expected integers of 32 "
            "bits"},
    BadPlan{"[1, 2, 4, 8, 16, 32]", "16",
            "k.cpp:7: parameters.splits.choices: expected an array of "
            "integers"},
    BadPlan{"unroll = 4", "unroll = \"4\"",
            "k.cpp:9: parameters.unroll: expected { value = N, choices = "
            "[N, ...] } or an integer"},
    BadPlan{"\"splits >= 1\"", "\"splits >= \"",
            "k.cpp:10: parameters.constraints[1]: column 11: expected a "
            "value, found end"},
    BadPlan{"\"splits >= 1\"", "true",
            "k.cpp:10: parameters.constraints[1]: expected an integer or "
            "an expression in quotes"},
    BadPlan{"\"float32\"", "\"float64\"",
            "k.cpp:13: scratch.partial_output.type: no element type "
            "'float64'; there are bfloat16, float16, float32, int32, "
            "uint32"},
    BadPlan{"type = \"float32\", shape", "shape",
            "k.cpp:13: scratch.partial_output.type: missing"},
    BadPlan{"[\"B\", \"Hkv\"]", "[]", "k.cpp:15: scratch.tickets.shape: empty"},
    BadPlan{"[\"B\", \"Hkv\"]", "[1, 2, 3, 4, 5, 6, 7, 8, 9]",
            "k.cpp:15: scratch.tickets.shape: at most 8 entries, not 9"},
    BadPlan{"init = \"zero\"", "init = \"nan\"",
            "k.cpp:15: scratch.tickets.init: expected \"poison\" or "
            "\"zero\""},
    BadPlan{"self_reset", "self_rest",
            "k.cpp:15: scratch.tickets.self_rest: unknown key (did you "
            "mean 'self_reset'?)"},
    BadPlan{"rounds = \"min(splits, ", "rounds = \"mni(splits, ",
            "k.cpp:18: derive.rounds: column 1: unknown function 'mni'; "
            "there are min, max, ceil_div, align_up"},
    BadPlan{"name = \"decode\"", "", "k.cpp:21: variant[0].name: missing"},
    BadPlan{"Lq == 1 && Lk", "Lq = 1 && Lk",
            "k.cpp:23: variant[0].when: column 4: unexpected '=' after "
            "the expression"},
    BadPlan{"when = ", "whn = ",
            "k.cpp:23: variant[0].whn: unknown key (did you mean "
            "'when'?)"},
    BadPlan{"{ tile_kv = 128 }", "{ tile_kv = \"128\" }",
            "k.cpp:24: variant[0].parameters.tile_kv: expected an "
            "integer, found a string"},
    BadPlan{"kernel = \"decode_partial\"", "",
            "k.cpp:25: variant[0].launch[0].kernel: missing"},
    BadPlan{"reads = [\"query\"", "reads = [4",
            "k.cpp:27: variant[0].launch[0].reads: expected a string, "
            "found an integer"},
    BadPlan{"[128, 1, 1]", "[128, 1, 1, 1]",
            "k.cpp:30: variant[0].launch[0].threads: at most 3 entries, "
            "not 4"},
    BadPlan{"[128, 1, 1]", "[]",
            "k.cpp:30: variant[0].launch[0].threads: empty"},
    BadPlan{"[128, 1, 1]", "128",
            "k.cpp:30: variant[0].launch[0].threads: expected an array of "
            "integers or expressions"},
    BadPlan{"threadgroups = [\"B * Hq\"]", "",
            "k.cpp:32: variant[0].launch[1].threadgroups: missing"},
    BadPlan{"dynamic_memory", "dynamic_memroy",
            "k.cpp:31: variant[0].launch[0].dynamic_memroy: unknown key "
            "(did you mean 'dynamic_memory'?)"},
    BadPlan{"threads = [128, 1, 1]", "cluster = [2, 1, 1]",
            "k.cpp:30: variant[0].launch[0].cluster: belongs to the cuda "
            "dialect; not supported by the cpu dialect"},
    BadPlan{"[derive]", "[tensor_map.key]\nbox = [1]\n[derive]",
            "k.cpp:17: tensor_map: belongs to the cuda dialect; not "
            "supported by the cpu dialect"}};

TEST(PlanErrors, NameFileLineAndKey) {
  for (const BadPlan& bad : kBadPlans) {
    SCOPED_TRACE(bad.error);
    EXPECT_EQ(parse_error(example_with(bad.from, bad.to)), bad.error);
  }
}

TEST(PlanParser, CountsLinesFromTheStartOfTheFile) {
  const auto parsed = parse_plan("\nproblem = 3\n", 10, Dialect::cpu, "k.cpp");
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().message, HasSubstr("k.cpp:11: problem:"));
  EXPECT_THAT(parse_error(example_with("[[variant]]", "[variant]")),
              HasSubstr("k.cpp:38: TOML: "));
  EXPECT_THAT(parse_error(example_with("value = 16,", "value = ,")),
              HasSubstr("k.cpp:7: TOML: "));
  const auto broken = parse_plan("\n\n[[", 10, Dialect::cpu, "k.cpp");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("k.cpp:12: TOML:"));
}

TEST(PlanParser, WantsVariantsAndLaunches) {
  EXPECT_THAT(parse_error("problem = \"p\""),
              HasSubstr("variant: missing; a plan needs at least one "
                        "[[variant]]"));
  EXPECT_THAT(parse_error("problem = \"p\"\n[[variant]]\nname = \"v\""),
              HasSubstr("k.cpp:2: variant[0].launch: missing; a variant needs "
                        "at least one [[variant.launch]]"));
  EXPECT_THAT(parse_error("problem = \"p\"\nvariant = 3"),
              HasSubstr("k.cpp:2: variant: expected an array of tables: write "
                        "[[variant]]"));
}

// Keys of a dialect that is not built yet are unknown, not silently ignored.
TEST(PlanParser, DialectKeysAreNotIgnored) {
  EXPECT_THAT(
      parse_error(example_with("threads = [128, 1, 1]", "cluster = [2, 1, 1]"),
                  Dialect::metal),
      HasSubstr("cluster: belongs to the cuda dialect; not supported by the "
                "metal dialect"));
}

TEST(PlanParser, BoundsWhatItReads) {
  EXPECT_THAT(parse_error(std::string(100'000, '\n')),
              HasSubstr("the plan has 100000 bytes; at most 65536"));
  EXPECT_THAT(parse_error(example_with("Lq == 1 && Lk >= 1024",
                                       std::string(600, ' ') + "1")),
              HasSubstr("variant[0].when: longer than 512 bytes"));
  std::string many = "problem = \"p\"\n[parameters]\n";
  for (int i = 0; i < 65; ++i)
    many.append("p").append(std::to_string(i)).append(" = 1\n");
  EXPECT_THAT(parse_error(many), HasSubstr("parameters: more than 64 entries"));
}

}  // namespace
}  // namespace evoke
