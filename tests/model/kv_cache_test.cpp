#include "evoke/model/kv_cache.h"

#include <gtest/gtest.h>
#include <mlx/ops.h>
#include <mlx/random.h>
#include <mlx/transforms.h>

#include <optional>
#include <stdexcept>
#include <vector>

#include "evoke/model/attention_op.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

constexpr int kHeads = 2;
constexpr int kHeadDim = 32;

mx::array rows(int count, uint64_t seed, int batch = 1) {
  return mx::random::normal({batch, kHeads, count, kHeadDim}, mx::float32,
                            mx::random::key(seed));
}

bool same(const mx::array& a, const mx::array& b) {
  return mx::array_equal(a, b).item<bool>();
}

TEST(KvCache, GivesBackEverythingAppendedWhateverTheStepsWere) {
  KvCache cache(2);
  std::optional<mx::array> keys;
  std::optional<mx::array> values;
  int length = 0;
  uint64_t seed = 0;
  // Below, at, across and far beyond a step of 256.
  for (const int count : {1, 254, 1, 1, 255, 300, 1, 1000}) {
    const mx::array key = rows(count, ++seed);
    const mx::array value = rows(count, ++seed);
    keys = keys ? mx::concatenate({*keys, key}, 2) : key;
    values = values ? mx::concatenate({*values, value}, 2) : value;
    length += count;
    for (const int layer : {0, 1}) {
      const auto [all_keys, all_values] = layer == 0
                                              ? cache.append(0, key, value)
                                              : cache.append(1, value, key);
      EXPECT_TRUE(same(all_keys, layer == 0 ? *keys : *values));
      EXPECT_TRUE(same(all_values, layer == 0 ? *values : *keys));
      EXPECT_EQ(cache.length(layer), length);
      EXPECT_EQ(cache.capacity(layer) % KvCache::kStep, 0);
      EXPECT_GE(cache.capacity(layer), length);
      EXPECT_LT(cache.capacity(layer), length + KvCache::kStep);
    }
  }
  EXPECT_EQ(cache.bytes(), 4U * cache.capacity() * kHeads * kHeadDim * 4);
}

TEST(KvCache, GivesSlicesOfItsBuffers) {
  KvCache cache(1);
  cache.append(0, rows(5, 1), rows(5, 2));
  auto [keys, values] = cache.append(0, rows(1, 3), rows(1, 4));
  mx::eval(keys, values);
  std::vector<mx::array> buffers = cache.buffers();
  mx::eval(buffers);
  EXPECT_EQ(keys.data<float>(), buffers[0].data<float>());
  EXPECT_EQ(values.data<float>(), buffers[1].data<float>());
  EXPECT_EQ(keys.strides()[1], cache.capacity() * kHeadDim);
  EXPECT_EQ(keys.strides()[2], kHeadDim);
}

TEST(KvCache, WritesInPlaceWithinItsCapacity) {
  KvCache cache(1);
  const AttentionOp attention = fast_attention();
  mx::array query = rows(1, 1);
  const float* place = nullptr;
  for (int i = 0; i < KvCache::kStep; ++i) {
    const auto [keys, values] = cache.append(0, query, query);
    query = attention(query, keys, values, 1, false);
    query.eval();
    const float* now = cache.buffers()[0].data<float>();
    if (i > 0) {
      ASSERT_EQ(now, place) << "copied at " << i;
    }
    place = now;
  }
}

TEST(KvCache, RefusesAnotherBatchSize) {
  KvCache cache(1);
  cache.append(0, rows(3, 1, 2), rows(3, 2, 2));
  EXPECT_THROW(cache.append(0, rows(1, 3), rows(1, 4)), std::invalid_argument);
}

}  // namespace
}  // namespace evoke::model
