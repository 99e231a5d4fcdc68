#include "evoke/evaluation/judge/call_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "evoke/evaluation/judge/input_change.h"
#include "tests/core/example_kernel.h"

namespace evoke::judge {
namespace {

using testing::HasSubstr;

TensorLayout layout(const std::string& name, int64_t allocation_bytes) {
  TensorLayout layout;
  layout.name = name;
  layout.type = DType::bfloat16;
  layout.shape = {1};
  layout.strides = {1};
  layout.allocation_bytes = allocation_bytes;
  return layout;
}

TEST(Pack, InputsBeginOnPagesAndOutputsAreLeftOut) {
  const std::vector<TensorLayout> layouts{
      layout("query", 100), layout("key", kPageBytes),
      layout("value", kPageBytes + 1), layout("output", 100)};
  const PackedLayout packed = pack(layouts, example_signature(), false);
  EXPECT_EQ(packed.offsets,
            (std::vector<int64_t>{0, kPageBytes, 2 * kPageBytes, -1}));
  EXPECT_EQ(packed.total_bytes, 4 * kPageBytes);
  const PackedLayout outputs = pack(layouts, example_signature(), true);
  EXPECT_EQ(outputs.offsets, (std::vector<int64_t>{-1, -1, -1, 0}));
  EXPECT_EQ(output_index(example_signature()), 3U);
}

LaunchPlan plan_with_scratch() {
  LaunchPlan plan;
  plan.scratch = {
      {"partial", DType::float32, {2, 3}, 24, ScratchInit::poison, false},
      {"tickets", DType::int32, {5}, 20, ScratchInit::zero, true},
      {"sums", DType::float32, {4}, 16, ScratchInit::zero, false}};
  return plan;
}

// A call's scratch, poisoned, with its self_reset tensors zeroed as a device
// does it.
struct Scratch {
  ScratchMemory memory{plan_with_scratch()};
  std::vector<std::byte> bytes =
      std::vector<std::byte>(static_cast<std::size_t>(memory.total_bytes()));
  Scratch() {
    memory.poison(bytes, /*first=*/true);
    std::fill_n(bytes.begin() + offset(1), 20, std::byte{0});
    memory.poison(bytes, /*first=*/false);
  }
  int64_t offset(std::size_t tensor) const {
    return memory.placements(7, 0).at(tensor).offset_bytes;
  }
  float value(std::size_t tensor, int index) const {
    float value = 0;
    std::memcpy(&value, bytes.data() + offset(tensor) + 4 * index, 4);
    return value;
  }
};

TEST(ScratchMemory, PlacesTensorsApart) {
  const ScratchMemory memory(plan_with_scratch());
  const auto placements = memory.placements(7, 4096);
  ASSERT_EQ(placements.size(), 3U);
  int64_t end = 4096;
  for (std::size_t i = 0; i < placements.size(); ++i) {
    EXPECT_EQ(placements[i].buffer, 7);
    EXPECT_EQ(placements[i].offset_bytes % 64, 0);
    EXPECT_GE(placements[i].offset_bytes, end + 64);  // a guard band between
    end = placements[i].offset_bytes + memory.layouts()[i].allocation_bytes;
  }
  EXPECT_GE(4096 + memory.total_bytes(), end + 64);
  EXPECT_EQ(memory.layouts()[0].strides, (std::vector<int64_t>{3, 1}));
}

TEST(ScratchMemory, EverythingButCountersIsPoisonedBeforeEachCall) {
  Scratch scratch;
  for (const std::size_t tensor : {0U, 2U}) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(std::isnan(scratch.value(tensor, i)));
    }
  }
  EXPECT_EQ(scratch.bytes[static_cast<std::size_t>(scratch.offset(1))],
            std::byte{0});
  // What a call wrote does not live on.
  std::fill_n(scratch.bytes.begin() + scratch.offset(0), 24, std::byte{1});
  scratch.memory.poison(scratch.bytes, false);
  EXPECT_TRUE(std::isnan(scratch.value(0, 0)));
  EXPECT_FALSE(scratch.memory.damage(scratch.bytes));
}

TEST(ScratchMemory, CallsMayWriteTheirTensors) {
  Scratch scratch;
  std::fill_n(scratch.bytes.begin() + scratch.offset(0), 24, std::byte{1});
  std::fill_n(scratch.bytes.begin() + scratch.offset(2), 16, std::byte{1});
  EXPECT_FALSE(scratch.memory.damage(scratch.bytes));
}

// Every single byte that is no tensor's.
TEST(ScratchMemory, NoticesEveryByteOfItsGuardBands) {
  Scratch scratch;
  std::vector<bool> owned(scratch.bytes.size(), false);
  const std::vector<int64_t> sizes{24, 20, 16};
  for (std::size_t t = 0; t < sizes.size(); ++t) {
    std::fill_n(owned.begin() + scratch.offset(t), sizes[t], true);
  }
  int guarded = 0;
  for (std::size_t i = 0; i < scratch.bytes.size(); ++i) {
    if (owned[i]) continue;
    ++guarded;
    const std::byte was = scratch.bytes[i];
    scratch.bytes[i] = std::byte{0};
    const auto damage = scratch.memory.damage(scratch.bytes);
    ASSERT_TRUE(damage) << i;
    EXPECT_TRUE(damage->out_of_bounds) << i;
    scratch.bytes[i] = was;
  }
  EXPECT_GT(guarded, 4 * 64);
  EXPECT_FALSE(scratch.memory.damage(scratch.bytes));
}

TEST(ScratchMemory, SaysWhereTheGuardBandFell) {
  Scratch scratch;
  scratch.bytes[static_cast<std::size_t>(scratch.offset(0)) + 24] =
      std::byte{0};
  const auto damage = scratch.memory.damage(scratch.bytes);
  ASSERT_TRUE(damage);
  EXPECT_THAT(damage->message, HasSubstr("'partial'"));
  EXPECT_THAT(damage->message, HasSubstr("'tickets'"));
}

TEST(ScratchMemory, NoticesCountersThatWereNotReset) {
  Scratch scratch;
  scratch.bytes[static_cast<std::size_t>(scratch.offset(1)) + 19] =
      std::byte{1};
  const auto damage = scratch.memory.damage(scratch.bytes);
  ASSERT_TRUE(damage);
  EXPECT_FALSE(damage->out_of_bounds);
  EXPECT_THAT(damage->message, HasSubstr("'tickets'"));
}

TEST(ScratchMemory, APlanWithoutScratchNeedsNone) {
  const ScratchMemory memory(LaunchPlan{});
  EXPECT_EQ(memory.total_bytes(), 0);
  memory.poison({}, true);
  EXPECT_FALSE(memory.damage({}));
}

// The judge changes one element of one input: never padding, never a guard
// band, any tensor.
TEST(InputChange, HitsAnElementOfAnyInput) {
  std::vector<TensorLayout> layouts;
  for (const char* name : {"query", "key", "value", "output"}) {
    TensorLayout each = layout(name, 4096);
    each.shape = {2, 3, 4};
    each.strides = {64, 16, 1};
    each.offset_bytes = 256;
    layouts.push_back(each);
  }
  const PackedLayout packed = pack(layouts, example_signature(), false);
  Rng rng(4);
  std::vector<int> hits(4, 0);
  for (int i = 0; i < 300; ++i) {
    const InputChange change = choose_change(layouts, packed, rng);
    const auto tensor = static_cast<std::size_t>(change.byte / kPageBytes);
    ASSERT_LT(tensor, 3U);
    ++hits[tensor];
    const int64_t within = change.byte % kPageBytes - 256;
    EXPECT_EQ(within % 2, 1);  // the byte with the sign
    const int64_t element = within / 2;
    EXPECT_LT(element / 64, 2);
    EXPECT_LT(element % 64 / 16, 3);
    EXPECT_LT(element % 16, 4);
    std::vector<std::byte> bytes(3 * kPageBytes);
    change.apply(bytes);
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0}),
              static_cast<long>(bytes.size()) - 1);
    change.apply(bytes);
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0}),
              static_cast<long>(bytes.size()));
  }
  for (int t = 0; t < 3; ++t) EXPECT_GT(hits[static_cast<std::size_t>(t)], 50);
}

}  // namespace
}  // namespace evoke::judge
