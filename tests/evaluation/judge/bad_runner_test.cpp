// Runners that answer nonsense, or nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/runner_setup.h"

namespace evoke::judge {
namespace {

using Kind = RunnerFault::Kind;
using test::children_of;
using test::ends;
using test::start_bad;

struct Garbage {
  const char* behaviour;
  Kind kind;
};

class BadRunnerTest : public ::testing::TestWithParam<Garbage> {};
INSTANTIATE_TEST_SUITE_P(
    All, BadRunnerTest,
    ::testing::Values(
        Garbage{"bytes", Kind::garbage}, Garbage{"huge_frame", Kind::garbage},
        Garbage{"half_a_frame", Kind::garbage},
        Garbage{"half_and_silent", Kind::timed_out},
        Garbage{"another_nonce", Kind::garbage},
        Garbage{"another_number", Kind::garbage},
        Garbage{"another_type", Kind::garbage},
        Garbage{"another_version", Kind::garbage},
        Garbage{"no_envelope", Kind::garbage},
        Garbage{"no_body", Kind::garbage},
        Garbage{"bad_failure", Kind::garbage},
        Garbage{"descriptors", Kind::garbage},
        Garbage{"silent", Kind::timed_out}, Garbage{"forks", Kind::timed_out},
        Garbage{"closes", Kind::garbage}, Garbage{"exit_7", Kind::died},
        Garbage{"exit_0", Kind::died}, Garbage{"killed", Kind::unavailable}),
    [](const auto& each) { return each.param.behaviour; });

TEST_P(BadRunnerTest, EndsAsItDeserves) {
  auto runner = start_bad(GetParam().behaviour);
  ASSERT_TRUE(runner) << runner.error().message;
  const std::vector<pid_t> before = children_of((*runner)->pid());
  const auto answer = (*runner)->call(protocol::Unload{1}, 300);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, GetParam().kind) << answer.error().message;
  EXPECT_FALSE(answer.error().message.empty());
  EXPECT_FALSE((*runner)->usable());
  EXPECT_TRUE(ends((*runner)->pid()));
}

// A second answer is not taken for the answer to the next request.
TEST(BadRunner, ASecondAnswerIsNotTakenForTheNext) {
  auto runner = start_bad("twice");
  ASSERT_TRUE(runner);
  EXPECT_TRUE((*runner)->call(protocol::Unload{1}, 1000));
  const auto next = (*runner)->call(protocol::Unload{2}, 1000);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().kind, Kind::garbage);
}

TEST(BadRunner, APullOfAnotherSizeIsNotTaken) {
  auto runner = start_bad("short_pull");
  ASSERT_TRUE(runner);
  auto memory = protocol::SharedMemory::create(64, false);
  const int buffer = test::value_of((*runner)->lend(*memory, true));
  const auto pulled = (*runner)->pull(buffer, *memory, 0, 64);
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().kind, Kind::garbage);
  EXPECT_EQ(memory->bytes()[0], std::byte{0});
}

}  // namespace
}  // namespace evoke::judge
