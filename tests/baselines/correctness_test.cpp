// Each baseline that is built here against attention's definition.
#include <cctype>
#include <ostream>

#include "tests/baselines/naive_attention.h"

namespace evoke::baselines::testing {
namespace {

struct Case {
  const char* name;
  Sizes sizes;
};
void PrintTo(const Case& test_case, std::ostream* out) {
  *out << test_case.name;
}

constexpr Case kCases[] = {
    {"decode_256", {.Lk = 256}},
    {"decode_one_key", {.Lk = 1}},
    {"decode_odd_length", {.Lk = 129}},
    {"decode_in_cache", {.Lk = 300, .capacity = 512}},
    {"decode_whole_blocks_in_cache", {.Lk = 320, .capacity = 512}},
    {"decode_odd_capacity", {.Lk = 320, .capacity = 333}},
    {"decode_one_key_in_cache", {.Lk = 1, .capacity = 32}},
    {"decode_31_in_cache", {.Lk = 31, .capacity = 64}},
    {"decode_33_in_cache", {.B = 2, .Lk = 33, .capacity = 64}},
    {"decode_1023_in_cache", {.Lk = 1023, .capacity = 1280}},
    {"decode_batch_3", {.B = 3, .Lk = 96, .capacity = 256}},
    {"decode_group_1", {.Hq = 4, .Hkv = 4, .Lk = 64}},
    {"decode_group_8", {.Hq = 16, .Hkv = 2, .Lk = 64}},
    {"decode_dim_64", {.Lk = 64, .D = 64}},
    {"decode_transposed", {.B = 2, .Lk = 65, .transposed = true}},
    {"prefill_64", {.Lq = 64, .Lk = 64, .causal = true, .capacity = 256}},
    {"prefill_130", {.Lq = 130, .Lk = 130, .causal = true}},
    {"prefill_batch_3",
     {.B = 3, .Lq = 33, .Lk = 33, .causal = true, .capacity = 40}},
    {"prefill_transposed",
     {.B = 2, .Lq = 70, .Lk = 70, .causal = true, .transposed = true}},
    {"chunk_7_of_65", {.Lq = 7, .Lk = 65, .causal = true, .capacity = 96}},
    {"chunk_2_of_2", {.Lq = 2, .Lk = 2, .causal = true}},
    {"chunk_140_of_300", {.Lq = 140, .Lk = 300, .causal = true}},
    {"full_33_of_127", {.Lq = 33, .Lk = 127, .transposed = true}},
    {"one_head",
     {.Hq = 1, .Hkv = 1, .Lq = 5, .Lk = 9, .causal = true, .capacity = 16}},
};

// These round scores to bfloat16: coarse, and far off for large logits.
bool rounds_scores(const std::string& path) {
  return path.find("bfloat16") == 0 || path.find("SDPA") == 0;
}
double limit_of(const std::string& path) {
  return rounds_scores(path) ? 2e-2 : 8e-3;
}

class Correctness
    : public ::testing::TestWithParam<std::tuple<std::string, Case>> {};

TEST_P(Correctness, AgreesWithTheDefinition) {
  const auto& [name, test_case] = GetParam();
  OPEN_OR_SKIP(baseline, name, 2);
  Problem problem(test_case.sizes);
  const std::vector<uint16_t> key = problem.key().memory();
  const std::vector<uint16_t> value = problem.value().memory();
  const std::vector<uint16_t> query = problem.query().memory();
  const Result<CallId> call =
      baseline.prepare(problem.shape(), problem.tensors());
  ASSERT_TRUE(call) << call.error().message;
  const Result<void> ran = baseline.run({&*call, 1}, true);
  ASSERT_TRUE(ran) << ran.error().message;
  const std::string path = baseline.path_of(*call);
  EXPECT_LE(problem.worst_row_error(), limit_of(path)) << path;
  EXPECT_EQ(problem.key().memory(), key);
  EXPECT_EQ(problem.value().memory(), value);
  EXPECT_EQ(problem.query().memory(), query);
  // Nothing outside the output's elements was written.
  problem.output().for_each([](uint16_t& element) { element = 0x7fc1; });
  for (const uint16_t element : problem.output().memory()) {
    ASSERT_EQ(element, 0x7fc1);
  }
}

TEST_P(Correctness, SurvivesLogitsOf150) {
  const auto& [name, test_case] = GetParam();
  OPEN_OR_SKIP(baseline, name, 2);
  Problem problem(test_case.sizes);
  problem.shift_logits(150);
  const Result<CallId> call =
      baseline.prepare(problem.shape(), problem.tensors());
  ASSERT_TRUE(call) << call.error().message;
  const std::string path = baseline.path_of(*call);
  if (rounds_scores(path)) {
    GTEST_SKIP() << path << " rounds scores to bfloat16 (docs/baselines.md)";
  }
  ASSERT_TRUE(baseline.run({&*call, 1}, true));
  EXPECT_LE(problem.worst_row_error(), limit_of(path)) << path;
}

INSTANTIATE_TEST_SUITE_P(
    Baselines, Correctness,
    ::testing::Combine(::testing::ValuesIn(known_baselines()),
                       ::testing::ValuesIn(kCases)),
    [](const auto& test) {
      std::string name =
          std::get<0>(test.param) + "_" + std::get<1>(test.param).name;
      for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      }
      return name;
    });

}  // namespace
}  // namespace evoke::baselines::testing
