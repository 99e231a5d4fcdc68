#include "evoke/evaluation/judge/case_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/base/hash.h"
#include "tests/core/example_kernel.h"

namespace evoke::judge {
namespace {

class CasePoolTest : public ::testing::Test {
 protected:
  GateCase a_case(int64_t kv_len, const std::string& layout = "contiguous") {
    return {example_shape(1, kv_len), "normal", layout};
  }
  std::unique_ptr<Problem> problem_ = make_attention_problem();
};

TEST_F(CasePoolTest, MakesACaseOnce) {
  CasePool pool(*problem_, {});
  const auto one = pool.get(a_case(64), 4);
  const auto two = pool.get(a_case(64), 4);
  ASSERT_TRUE(one);
  ASSERT_TRUE(two);
  EXPECT_EQ(*one, *two);
  EXPECT_EQ((*one)->prepared->gate_case().label(), a_case(64).label());
}

TEST_F(CasePoolTest, NumbersTakeTurnsOverTheSeeds) {
  CasePoolOptions options;
  options.num_seeds = 3;
  CasePool pool(*problem_, options);
  std::set<std::string> contents;
  for (uint64_t number = 0; number < 12; ++number) {
    contents.insert((*pool.get(a_case(64), number))->inputs_hash);
  }
  EXPECT_EQ(contents.size(), 3U);
}

TEST_F(CasePoolTest, CasesDifferInSeedAndInputsAreHashed) {
  CasePool pool(*problem_, {});
  const auto one = *pool.get(a_case(64), 0);
  const auto two = *pool.get(a_case(64, "cache"), 0);
  EXPECT_NE(one->inputs_hash, two->inputs_hash);
  EXPECT_EQ(one->inputs_hash,
            hash_hex(std::span<const std::byte>(one->inputs->bytes())));
  // Whoever is lent them cannot write them.
  EXPECT_TRUE(one->inputs->read_only_for_others());
  EXPECT_EQ(one->packed.offsets.back(), -1);
}

TEST_F(CasePoolTest, FreshCasesAreNeverTheSame) {
  CasePool pool(*problem_, {});
  std::set<std::string> contents;
  contents.insert((*pool.get(a_case(64), 0))->inputs_hash);
  for (int i = 0; i < 5; ++i) {
    contents.insert((*pool.make_fresh(a_case(64)))->inputs_hash);
  }
  EXPECT_EQ(contents.size(), 6U);
}

// Nobody can know the inputs of another run.
TEST_F(CasePoolTest, PoolsDrawSeedsOfTheirOwn) {
  CasePool one(*problem_, {});
  CasePool two(*problem_, {});
  EXPECT_NE((*one.get(a_case(64), 0))->inputs_hash,
            (*two.get(a_case(64), 0))->inputs_hash);
  EXPECT_NE(secret_seed(), secret_seed());
}

TEST_F(CasePoolTest, ForgetsTheOldestBeyondItsBound) {
  CasePoolOptions options;
  options.num_seeds = 1;
  CasePool probe(*problem_, options);
  options.max_bytes = 2 * (*probe.get(a_case(64), 0))->inputs->size();
  CasePool pool(*problem_, options);
  const auto held = *pool.get(a_case(64), 0);
  const std::string hash = held->inputs_hash;
  const auto first = *pool.get(a_case(63), 0);
  (void)*pool.get(a_case(64), 0);  // used again
  (void)*pool.get(a_case(62), 0);
  EXPECT_EQ(*pool.get(a_case(64), 0), held);
  EXPECT_NE(*pool.get(a_case(63), 0), first);  // made again
  // It had the same seed, and what is in use lives on.
  EXPECT_EQ((*pool.get(a_case(63), 0))->inputs_hash, first->inputs_hash);
  EXPECT_EQ(hash_hex(std::span<const std::byte>(held->inputs->bytes())), hash);
}

TEST_F(CasePoolTest, ThreadsWaitForTheOneThatMakesIt) {
  CasePool pool(*problem_, {});
  std::vector<std::shared_ptr<const PooledCase>> got(4);
  std::vector<std::thread> threads;
  for (auto& mine : got) {
    threads.emplace_back([&] { mine = *pool.get(a_case(256), 0); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : got) EXPECT_EQ(mine, got[0]);
}

}  // namespace
}  // namespace evoke::judge
