// The parts of timing that need no runner: lengths of blocks, slots, and the
// rotation over the copies of the inputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/base/hash.h"
#include "evoke/evaluation/judge/arm.h"
#include "evoke/evaluation/judge/race.h"
#include "evoke/evaluation/judge/timing_inputs.h"
#include "tests/core/example_kernel.h"

namespace evoke::judge {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(CallsPerBlock, FillsABlockOfTheQuickerArm) {
  EXPECT_EQ(calls_per_block(1.0, 100, 200, 64), 10);
  EXPECT_EQ(calls_per_block(1.0, 200, 100, 64), 10);
  EXPECT_EQ(calls_per_block(1.0, 300, 300, 64), 4);
  EXPECT_EQ(calls_per_block(1.0, 5000, 5000, 64), 1);
}

TEST(CallsPerBlock, NeverMoreThanTheSlotsThereAre) {
  EXPECT_EQ(calls_per_block(1.0, 1, 1, 64), 64);
  EXPECT_EQ(calls_per_block(1.0, 0, 0, 64), 64);
}

TEST(CallsPerBlock, DoesNotWaitForEverForAVerySlowArm) {
  EXPECT_LE(calls_per_block(1.0, 10, 100'000, 512), 1);
  EXPECT_EQ(calls_per_block(1.0, 10, kInfinity, 512), 1);
}

TEST(SlotsFor, ColdTakesEveryCopyOnce) {
  const auto slots = slots_for(CacheState::cold, 5);
  EXPECT_EQ(slots, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(SlotsFor, WarmTakesOneCopyWithManyOutputs) {
  const auto slots = slots_for(CacheState::warm, 5);
  EXPECT_GT(slots.size(), 8U);
  EXPECT_EQ(std::set<int>(slots.begin(), slots.end()), std::set<int>{0});
}

class TimingInputsTest : public ::testing::Test {
 protected:
  std::shared_ptr<TimingInputs> make(int64_t bytes, int max_copies,
                                     uint64_t seed, int num_keys = 64) {
    TimingInputs::Options options;
    options.total_bytes = bytes;
    options.max_copies = max_copies;
    options.num_threads = 2;
    options.seed = seed;
    Shape shape = example_shape(1, num_keys);
    auto inputs = TimingInputs::make(*problem_, shape, options);
    if (!inputs) throw std::runtime_error(inputs.error().message);
    EXPECT_FALSE((*inputs)->filled());
    (*inputs)->fill();
    return *inputs;
  }
  std::unique_ptr<Problem> problem_ = make_attention_problem();
};

TEST_F(TimingInputsTest, FillTheRotationWithDifferentCopies) {
  const auto inputs = make(4 << 20, 1000, 1);
  EXPECT_GE(inputs->memory().size(), 4 << 20);
  EXPECT_GE(inputs->num_copies(), 4);
  std::set<std::string> contents;
  for (int copy = 0; copy < inputs->num_copies(); ++copy) {
    const auto offsets = inputs->offsets_of(copy);
    ASSERT_EQ(offsets.size(), 4U);
    EXPECT_EQ(offsets[3], -1);
    const auto* key = inputs->memory().bytes().data() + offsets[1];
    const auto bytes = inputs->set().tensors()[1].allocation_bytes;
    contents.insert(std::string(reinterpret_cast<const char*>(key),
                                static_cast<std::size_t>(bytes)));
  }
  EXPECT_EQ(static_cast<int>(contents.size()), inputs->num_copies());
  EXPECT_EQ(make(4 << 20, 3, 1)->num_copies(), 3);
}

TEST_F(TimingInputsTest, EveryCopyComesRoundBeforeAnyComesTwice) {
  const auto inputs = make(4 << 20, 8, 2);
  const int copies = inputs->num_copies();
  std::vector<int> order;
  for (int i = 0; i < 3 * copies; ++i) {
    order.push_back(inputs->next_copies(1).at(0));
  }
  for (int lap = 0; lap < 3; ++lap) {
    const auto begin = order.begin() + lap * copies;
    EXPECT_EQ(std::set<int>(begin, begin + copies).size(),
              static_cast<std::size_t>(copies));
  }
  // Blocks of any length go on where the last one ended.
  const auto block = inputs->next_copies(copies - 1);
  const auto next = inputs->next_copies(1);
  EXPECT_EQ(std::count(block.begin(), block.end(), next[0]), 0);
}

TEST_F(TimingInputsTest, AnAnswerOnceRightIsKnownAndNoOtherIs) {
  // One key: every head answers with its value.
  const auto inputs = make(4 << 20, 64, 1, /*num_keys=*/1);
  const auto& layouts = inputs->set().tensors();
  const auto row = [&](std::size_t tensor, std::size_t head) {
    const TensorLayout& layout = layouts[tensor];
    return static_cast<std::size_t>(layout.offset_bytes +
                                    static_cast<int64_t>(head) *
                                        layout.strides[1] * 2);
  };
  constexpr std::size_t kValue = 2;
  const std::size_t output = output_index(problem_->signature());
  const auto bytes_of = [&](std::size_t tensor) {
    std::vector<std::byte> bytes(
        static_cast<std::size_t>(layouts[tensor].allocation_bytes));
    inputs->set().write(0, tensor, bytes);
    return bytes;
  };
  std::vector<std::byte> answer = bytes_of(output);
  const auto check = [&](int copy) {
    return inputs->check(copy, answer, hash_hex(answer), 2);
  };
  EXPECT_NE(check(0).verdict, CheckVerdict::right);
  const std::vector<std::byte> values = bytes_of(kValue);
  const auto heads = static_cast<std::size_t>(layouts[output].shape[1]);
  const auto group = heads / static_cast<std::size_t>(layouts[kValue].shape[1]);
  const auto width = static_cast<std::size_t>(layouts[output].shape[3]) * 2;
  for (std::size_t head = 0; head < heads; ++head) {
    std::copy_n(values.begin() + row(kValue, head / group), width,
                answer.begin() + row(output, head));
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(check(0).verdict, CheckVerdict::right);
  }
  // Right for one copy is wrong for another.
  EXPECT_NE(check(1).verdict, CheckVerdict::right);
  answer[row(output, 0) + 1] ^= std::byte{0x80};  // a sign
  EXPECT_NE(check(0).verdict, CheckVerdict::right);
}

TEST_F(TimingInputsTest, TheOrderIsSecret) {
  const auto one = make(4 << 20, 64, 3);
  const auto two = make(4 << 20, 64, 4);
  const int copies = one->num_copies();
  EXPECT_NE(one->next_copies(copies), two->next_copies(copies));
}

TEST_F(TimingInputsTest, RacesSideBySideShareTheRotation) {
  const auto inputs = make(4 << 20, 8, 5);
  const int copies = inputs->num_copies();
  std::vector<std::vector<int>> taken(4);
  std::vector<std::thread> threads;
  for (auto& mine : taken) {
    threads.emplace_back([&] {
      for (int i = 0; i < copies; ++i) {
        mine.push_back(inputs->next_copies(1).at(0));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::map<int, int> uses;
  for (const auto& mine : taken) {
    for (const int copy : mine) ++uses[copy];
  }
  for (const auto& [copy, count] : uses) EXPECT_EQ(count, 4) << copy;
}

// What another device reads is in no cache of this one: its rotation may not
// be shortened by the other's.
TEST_F(TimingInputsTest, AnotherDeviceSharesMemoryAndNotTheRotation) {
  const auto inputs = make(4 << 20, 8, 6);
  const auto other = inputs->for_another_device(/*seed=*/7);
  EXPECT_EQ(&other->memory(), &inputs->memory());
  EXPECT_EQ(&other->set(), &inputs->set());
  EXPECT_EQ(other->offsets_of(1), inputs->offsets_of(1));
  const int copies = inputs->num_copies();
  std::set<int> seen;
  for (int i = 0; i < copies; ++i) {
    seen.insert(inputs->next_copies(1).at(0));
    other->next_copies(copies - 1);
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(copies));
}

}  // namespace
}  // namespace evoke::judge
