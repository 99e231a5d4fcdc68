// Attention written as its definition, in double, over strided tensors in
// memory whose gaps hold NaN; what the baselines' tests compare with.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "evoke/baselines/baseline.h"

namespace evoke::baselines::testing {

inline float to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
inline uint16_t to_bits(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

struct Sizes {
  int64_t B = 1, Hq = 16, Hkv = 8, Lq = 1, Lk = 1, D = 128;
  bool causal = false;
  int64_t capacity = 0;     // rows of the key/value cache; 0: Lk
  bool transposed = false;  // query and output are views of (B, L, H, D + 8)
};

inline Shape shape_of(const Sizes& sizes) {
  Shape shape;
  shape.name = "test";
  shape.values = {{"B", sizes.B},
                  {"Hq", sizes.Hq},
                  {"Hkv", sizes.Hkv},
                  {"Lq", sizes.Lq},
                  {"Lk", sizes.Lk},
                  {"D", sizes.D},
                  {"causal", sizes.causal ? 1 : 0}};
  shape.scalars = {
      {"scale", static_cast<float>(1 / std::sqrt(double(sizes.D)))}};
  return shape;
}

// A (B, H, L, D) bfloat16 tensor in memory of its own, surrounded by NaN.
class Tensor {
 public:
  static constexpr int64_t kGuard = 256;  // elements before and after

  Tensor(std::string name, std::array<int64_t, 4> shape, int64_t capacity,
         bool transposed)
      : shape_(shape) {
    const auto [B, H, L, D] = shape;
    const int64_t gap = D + 8;
    strides_ = transposed ? std::array<int64_t, 4>{L * H * gap, gap, H * gap, 1}
                          : std::array<int64_t, 4>{H * capacity * D,
                                                   capacity * D, D, 1};
    const int64_t total = B * H * capacity * (transposed ? gap : D);
    memory_.assign(static_cast<std::size_t>(total + 2 * kGuard), 0x7fc1);
    layout_.name = std::move(name);
    layout_.type = DType::bfloat16;
    layout_.shape.assign(shape.begin(), shape.end());
    layout_.strides.assign(strides_.begin(), strides_.end());
    layout_.offset_bytes = 2 * kGuard;
    layout_.allocation_bytes = 2 * (total + 2 * kGuard);
  }

  BoundTensor bound() {
    return {reinterpret_cast<std::byte*>(memory_.data() + kGuard), layout_, {}};
  }
  uint16_t& at(int64_t b, int64_t h, int64_t l, int64_t d) {
    return memory_[static_cast<std::size_t>(
        kGuard + b * strides_[0] + h * strides_[1] + l * strides_[2] + d)];
  }
  const std::vector<uint16_t>& memory() const { return memory_; }
  const std::array<int64_t, 4>& shape() const { return shape_; }

  template <typename Function>
  void for_each(Function function) {
    for (int64_t b = 0; b < shape_[0]; ++b) {
      for (int64_t h = 0; h < shape_[1]; ++h) {
        for (int64_t l = 0; l < shape_[2]; ++l) {
          for (int64_t d = 0; d < shape_[3]; ++d) function(at(b, h, l, d));
        }
      }
    }
  }

 private:
  std::array<int64_t, 4> shape_;
  std::array<int64_t, 4> strides_{};
  std::vector<uint16_t> memory_;
  TensorLayout layout_;
};

// The four tensors of one call.
class Problem {
 public:
  explicit Problem(const Sizes& sizes, unsigned seed = 1)
      : sizes_(sizes),
        query_("query", {sizes.B, sizes.Hq, sizes.Lq, sizes.D}, sizes.Lq,
               sizes.transposed),
        key_("key", {sizes.B, sizes.Hkv, sizes.Lk, sizes.D}, capacity(), false),
        value_("value", {sizes.B, sizes.Hkv, sizes.Lk, sizes.D}, capacity(),
               false),
        output_("output", {sizes.B, sizes.Hq, sizes.Lq, sizes.D}, sizes.Lq,
                sizes.transposed) {
    fill(seed);
  }

  void fill(unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal;
    for (Tensor* tensor : {&query_, &key_, &value_}) {
      tensor->for_each(
          [&](uint16_t& element) { element = to_bits(normal(generator)); });
    }
    output_.for_each([](uint16_t& element) { element = 0xffff; });
  }

  // Adds `logit` to every logit, by a query and a key channel of their own.
  void shift_logits(double logit) {
    const auto root = static_cast<float>(
        std::sqrt(std::abs(logit) * std::sqrt(double(sizes_.D))));
    const float sign = logit < 0 ? -1.0F : 1.0F;
    for (int64_t b = 0; b < sizes_.B; ++b) {
      for (int64_t h = 0; h < sizes_.Hq; ++h) {
        for (int64_t l = 0; l < sizes_.Lq; ++l) {
          query_.at(b, h, l, 0) = to_bits(sign * root);
        }
      }
      for (int64_t h = 0; h < sizes_.Hkv; ++h) {
        for (int64_t l = 0; l < sizes_.Lk; ++l) {
          key_.at(b, h, l, 0) = to_bits(root);
        }
      }
    }
  }

  Shape shape() const { return shape_of(sizes_); }
  std::vector<BoundTensor> tensors() {
    return {query_.bound(), key_.bound(), value_.bound(), output_.bound()};
  }
  Tensor& query() { return query_; }
  Tensor& key() { return key_; }
  Tensor& value() { return value_; }
  Tensor& output() { return output_; }

  // The worst row's |output - truth| / |truth|; NaN when there is one.
  double worst_row_error() {
    double worst = 0;
    for (int64_t b = 0; b < sizes_.B; ++b) {
      for (int64_t h = 0; h < sizes_.Hq; ++h) {
        for (int64_t i = 0; i < sizes_.Lq; ++i) {
          const double error = row_error(b, h, i);
          if (!(error <= worst)) worst = error;
          if (std::isnan(worst)) return worst;
        }
      }
    }
    return worst;
  }

 private:
  int64_t capacity() const {
    return sizes_.capacity == 0 ? sizes_.Lk : sizes_.capacity;
  }

  double row_error(int64_t b, int64_t h, int64_t i) {
    const int64_t kv = h / (sizes_.Hq / sizes_.Hkv);
    const int64_t visible =
        sizes_.causal ? sizes_.Lk - sizes_.Lq + i + 1 : sizes_.Lk;
    std::vector<double> weight(static_cast<std::size_t>(visible));
    double largest = -std::numeric_limits<double>::infinity();
    const auto scale =
        static_cast<double>(static_cast<float>(1 / std::sqrt(sizes_.D)));
    for (int64_t j = 0; j < visible; ++j) {
      double dot = 0;
      for (int64_t d = 0; d < sizes_.D; ++d) {
        dot += double(to_float(query_.at(b, h, i, d))) *
               double(to_float(key_.at(b, kv, j, d)));
      }
      weight[static_cast<std::size_t>(j)] = dot * scale;
      largest = std::max(largest, dot * scale);
    }
    double sum = 0;
    for (double& w : weight) sum += w = std::exp(w - largest);
    double difference = 0;
    double norm = 0;
    for (int64_t d = 0; d < sizes_.D; ++d) {
      double truth = 0;
      for (int64_t j = 0; j < visible; ++j) {
        truth += weight[static_cast<std::size_t>(j)] / sum *
                 double(to_float(value_.at(b, kv, j, d)));
      }
      const double got = to_float(output_.at(b, h, i, d));
      difference += (got - truth) * (got - truth);
      norm += truth * truth;
    }
    return std::sqrt(difference / norm);
  }

  Sizes sizes_;
  Tensor query_, key_, value_, output_;
};

// Opens the baseline, or skips the test and says why.
#define OPEN_OR_SKIP(variable, name, threads)                     \
  auto variable##_result = ::evoke::open_baseline(name, threads); \
  if (!variable##_result) {                                       \
    GTEST_SKIP() << variable##_result.error().message;            \
  }                                                               \
  ::evoke::Baseline& variable = **variable##_result

}  // namespace evoke::baselines::testing
