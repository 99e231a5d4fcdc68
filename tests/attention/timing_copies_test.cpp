#include "evoke/attention/timing_copies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "evoke/base/hash.h"
#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

using testing::HasSubstr;

std::vector<std::byte> written(const TimingCopies& copies, int copy,
                               std::size_t index) {
  std::vector<std::byte> allocation(copies.tensors()[index].allocation_bytes);
  copies.write(copy, index, allocation);
  return allocation;
}

// What a right kernel makes of the inputs that lie in memory.
std::vector<std::byte> answer(const TimingCopies& copies, int copy) {
  FloatInputs inputs;
  inputs.shape = from_shape(copies.shape());
  const AttentionShape& shape = inputs.shape;
  for (std::size_t index = 0; index < 3; ++index) {
    const TensorLayout& tensor = copies.tensors()[index];
    const auto allocation = written(copies, copy, index);
    auto& floats = index == 0   ? inputs.query
                   : index == 1 ? inputs.key
                                : inputs.value;
    for (int64_t h = 0; h < tensor.shape[1]; ++h) {
      for (int64_t i = 0; i < tensor.shape[2]; ++i) {
        for (int64_t d = 0; d < shape.D; ++d) {
          uint16_t bits;
          std::memcpy(
              &bits,
              allocation.data() + row_offset_bytes(tensor, 0, h, i) + 2 * d, 2);
          floats.push_back(float_of_bf16(bits));
        }
      }
    }
  }
  return laid_out(copies.tensors()[kOutput], computed({}, inputs));
}

TEST(TimingCopies, FillTheBytesAskedAndNoMore) {
  const Shape shape = to_shape(small_shape(1, 256));
  const TimingCopies one(shape, 1, 100, 1);
  EXPECT_EQ(one.num_copies(), 1);
  EXPECT_EQ(TimingCopies(shape, int64_t{1} << 30, 5, 1).num_copies(), 5);
  EXPECT_EQ(TimingCopies(shape, 0, 0, 1).num_copies(), 1);
  int64_t bytes = 0;
  for (std::size_t index = 0; index < 3; ++index) {
    bytes += one.tensors()[index].allocation_bytes;
  }
  EXPECT_EQ(TimingCopies(shape, 3 * bytes, 100, 1).num_copies(), 3);
  EXPECT_EQ(TimingCopies(shape, 3 * bytes + 1, 100, 1).num_copies(), 4);
}

TEST(TimingCopies, DifferFromOneAnotherAndRepeatWithTheSeed) {
  const Shape shape = to_shape(small_shape(1, 40));
  const TimingCopies copies(shape, 1 << 30, 6, 1);
  const TimingCopies again(shape, 1 << 30, 6, 1);
  const TimingCopies other(shape, 1 << 30, 6, 2);
  std::set<std::string> seen;  // hashes
  for (int copy = 0; copy < 6; ++copy) {
    for (std::size_t index = 0; index < 3; ++index) {
      EXPECT_TRUE(seen.insert(hash_hex(std::span<const std::byte>(
                                  written(copies, copy, index))))
                      .second);
      EXPECT_EQ(written(copies, copy, index), written(again, copy, index));
      EXPECT_NE(written(copies, copy, index), written(other, copy, index));
    }
  }
}

TEST(TimingCopies, EachIsCheckedAgainstItsOwnAnswer) {
  for (const AttentionShape& sizes :
       {small_shape(1, 300), small_shape(20, 20, true)}) {
    const TimingCopies copies(to_shape(sizes), 1 << 30, 3, 1);
    for (int copy = 0; copy < 3; ++copy) {
      const CheckReport right = copies.check(copy, answer(copies, copy), 1);
      EXPECT_EQ(right.verdict, CheckVerdict::right) << right.message;
      const CheckReport wrong =
          copies.check(copy, answer(copies, (copy + 1) % 3), 1);
      EXPECT_EQ(wrong.verdict, CheckVerdict::wrong);
      EXPECT_THAT(wrong.message,
                  HasSubstr("timed copy " + std::to_string(copy)));
    }
  }
}

TEST(TimingCopies, SeveralThreadsFindWhatOneFinds) {
  const TimingCopies copies(to_shape(small_shape(20, 20, true)), 1 << 30, 1, 1);
  std::vector<std::byte> output = answer(copies, 0);
  EXPECT_EQ(copies.check(0, output, 3).verdict, CheckVerdict::right);
  // A NaN in each head's last row: the first one is named.
  const TensorLayout& layout = copies.tensors()[kOutput];
  for (int64_t h = 0; h < layout.shape[1]; ++h) {
    const int64_t at = layout.offset_bytes +
                       2 * (h * layout.strides[1] + 19 * layout.strides[2]);
    output[static_cast<std::size_t>(at)] = std::byte{0xc1};
    output[static_cast<std::size_t>(at + 1)] = std::byte{0x7f};
  }
  const CheckReport alone = copies.check(0, output, 1);
  EXPECT_THAT(alone.message, HasSubstr("query head 0, query 19: NaN"));
  EXPECT_EQ(copies.check(0, output, 3).message, alone.message);
}

TEST(TimingCopies, MayBeCheckedFromSeveralThreads) {
  const TimingCopies copies(to_shape(small_shape(1, 100)), 1 << 30, 4, 1);
  std::vector<std::vector<std::byte>> outputs;
  for (int copy = 0; copy < 4; ++copy) {
    outputs.push_back(answer(copies, copy));
  }
  std::vector<std::thread> threads;
  std::vector<int> right(3);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int copy = 0; copy < 4; ++copy) {
        const auto report = copies.check(copy, outputs[copy], 1);
        right[t] += report.verdict == CheckVerdict::right ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(right, testing::Each(4));
}

}  // namespace
}  // namespace evoke::attention
