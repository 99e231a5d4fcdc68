#include "evoke/attention/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

#include "evoke/attention/bf16.h"
#include "evoke/attention/layouts.h"
#include "evoke/attention/vector_ops.h"
#include "evoke/base/rng.h"

namespace evoke::attention {
namespace {

constexpr std::string_view kKindNames[kNumInputKinds] = {
    "normal",  "needle", "shift_up", "shift_down",
    "outlier", "mixed",  "contrast", "sink"};
constexpr std::string_view kBlend = "blend";

// Needles, q = c k_j, take turns over eleven strengths. In one of them c is
// so large that hardly anything else counts; in the others the needle is
// ln(keys) + 0.5 .. 5 nats up, so that it shows, and the other keys, which are
// light, many, and contrasted, do as well.
constexpr float kNeedleGain = 1.2f;
constexpr int64_t kNeedleStrengths = 11;
constexpr int64_t kStrongOnes = 1;
constexpr double kLeastPeak = 4;
constexpr double kPeakStep = 0.5;
constexpr double kLogitShift = 150;
// Keys that lie low in shift_up: a tile of 64, or an eighth of all.
constexpr int64_t kLowKeys = 64;
constexpr int64_t kLowShare = 8;
constexpr float kOutlierGain = 30;
// Contrast: one key in four is in the heavy group, the others weigh a third
// of it each, so that the two groups' values, +1.125 and -1, nearly cancel.
constexpr int64_t kContrastPeriod = 4;
constexpr double kContrastGap = 1.0986;  // ln 3
constexpr float kContrastSurplus = 1.125f;
constexpr float kContrastNoise = 0.25f;
constexpr float kContrastQuery = 0.1f;
// Sink: the first keys together outweigh all others by this ratio.
constexpr int64_t kSinkKeys = 2;
constexpr double kSinkRatio = 4;
constexpr float kSinkNoise = 0.5f;
// Mixed: rows of zeros (queries: two neighbours in six), and a head's values
// beyond float16 on either side.
constexpr int64_t kZeroQueryEvery = 3;
constexpr uint64_t kZeroKeyEvery = 16;
constexpr float kTinyValues = 0x1p-20f;
constexpr float kHugeValues = 0x1p17f;

uint64_t mix(uint64_t state, uint64_t value) {
  uint64_t z = (state ^ value) + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// change(x, d) of every element, rounded to bfloat16; finite values only, so
// that the loop has no branch.
template <typename Change>
void change_row(uint16_t* bits, int64_t dim, const Change& change) {
  for (int64_t d = 0; d < dim; ++d) {
    const float x = change(float_of_bf16(bits[d]), d);
    const auto word = std::bit_cast<uint32_t>(x);
    bits[d] = static_cast<uint16_t>((word + 0x7fff + ((word >> 16) & 1)) >> 16);
  }
}

void scale_row(uint16_t* bits, int64_t dim, float factor) {
  change_row(bits, dim, [&](float x, int64_t) { return x * factor; });
}

// Both sides of a logit offset of `offset`: one channel of query and key.
uint16_t half_offset(double offset, float scale) {
  return bf16_of_float(static_cast<float>(
      std::sqrt(std::abs(offset) / static_cast<double>(scale))));
}

// 2^-4 .. 2^2.
float mixed_scale(uint64_t row_seed) {
  return std::ldexp(1.0f, static_cast<int>(mix(row_seed, 1) % 7) - 4);
}

// The c of a needle in a row that sees `visible` keys; `unit` is the score of
// the key with itself.
float needle_gain(int64_t strength, int64_t visible, double unit) {
  if (strength < kStrongOnes || unit == 0) return kNeedleGain;
  const double peak =
      std::log(static_cast<double>(visible)) +
      kPeakStep * static_cast<double>(strength - kStrongOnes + 1);
  return std::min(kNeedleGain,
                  static_cast<float>(std::max(peak, kLeastPeak) / unit));
}

double sink_logit(int64_t keys) {
  return std::log(kSinkRatio / kSinkKeys * static_cast<double>(keys)) + 0.5;
}

bool is_low(int64_t keys, int64_t j) {
  return j < std::max(keys / kLowShare, std::min(kLowKeys, keys / 2));
}

// In every aligned run of four keys, one; which one is secret.
bool in_heavy_group(uint64_t plane_seed, int64_t j) {
  const auto run = static_cast<uint64_t>(j / kContrastPeriod);
  return mix(plane_seed, run) % kContrastPeriod ==
         static_cast<uint64_t>(j % kContrastPeriod);
}

}  // namespace

std::string_view to_string(InputKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::vector<std::string> input_names() {
  std::vector<std::string> names(std::begin(kKindNames), std::end(kKindNames));
  names.emplace_back(kBlend);
  return names;
}

bool is_input_name(std::string_view name) {
  const auto names = input_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

InputGenerator::InputGenerator(const AttentionShape& shape,
                               std::string_view input, uint64_t seed)
    : shape_(shape) {
  if (!is_input_name(input)) {
    throw std::invalid_argument(fmt::format(
        "[InputGenerator] no input is called '{}'. Usual cause: a gate case "
        "not made by gate_cases()",
        input));
  }
  Rng rng = Rng(seed).fork(shape.name()).fork(input);
  for (uint64_t& tensor_seed : tensor_seeds_) tensor_seed = rng.next();

  std::vector<InputKind> order;
  for (std::size_t i = 0; i < kNumInputKinds; ++i) {
    if (input == kBlend || input == kKindNames[i]) {
      order.push_back(static_cast<InputKind>(i));
    }
  }
  rng.shuffle(order);
  heads_.resize(shape.B * shape.Hkv);
  const auto dim = static_cast<uint64_t>(shape.D);
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    Head& head = heads_[i];
    head.kind = order[i % order.size()];
    head.channel = static_cast<int64_t>(rng.below(dim));
    head.direction.resize(dim);
    for (uint16_t& bits : head.direction) {
      bits = bf16_of_float(rng.chance(0.5) ? 1.0f : -1.0f);
    }
    head.value_gain = rng.chance(0.5) ? kTinyValues : kHugeValues;
  }
}

const InputGenerator::Head& InputGenerator::head(int64_t b,
                                                 int64_t kv_head) const {
  return heads_[b * shape_.Hkv + kv_head];
}

InputKind InputGenerator::kind(int64_t b, int64_t kv_head) const {
  return head(b, kv_head).kind;
}

uint64_t InputGenerator::row_seed(int tensor, int64_t b, int64_t head,
                                  int64_t row) const {
  const auto plane =
      static_cast<uint64_t>(b) << 32 | static_cast<uint64_t>(head);
  return mix(mix(tensor_seeds_[tensor], plane), static_cast<uint64_t>(row));
}

// Which key row (b, head, i) looks for. Neighbouring rows, and the query
// heads of one group, look for different kinds of places.
int64_t InputGenerator::needle_of(int64_t b, int64_t head, int64_t i) const {
  const int64_t visible = std::max<int64_t>(shape_.visible_keys(i), 1);
  const uint64_t random = mix(row_seed(kQuery, b, head, i), 2);
  // A tile's edge: a multiple of 16 .. 256, or the key before it.
  const int64_t tile = 16 << (random % 5);
  const int64_t edges = visible / tile + 1;
  const int64_t edge =
      tile * static_cast<int64_t>((random >> 8) % static_cast<uint64_t>(edges));
  switch ((head + i * 3) % 8) {
    case 0:
      return visible - 1;
    case 1:
      return 0;
    case 2:
      return std::clamp<int64_t>(edge - 1, 0, visible - 1);
    case 3:
      // The first key that a causal row may not see, where there is one.
      return std::min(visible, shape_.Lk - 1);
    case 4:
      return visible / 2;
    case 5:
      return std::min(edge, visible - 1);
    case 6:
      // First of the last, perhaps partial, tile of 64.
      return (visible - 1) / 64 * 64;
    default:
      return static_cast<int64_t>((random >> 8) %
                                  static_cast<uint64_t>(visible));
  }
}

void InputGenerator::query_row(int64_t b, int64_t head_index, int64_t i,
                               uint16_t* bits) const {
  const int64_t kv_head = head_index / shape_.group();
  const Head& special = head(b, kv_head);
  const uint64_t seed = row_seed(kQuery, b, head_index, i);
  if (special.kind == InputKind::needle) {
    key_row(b, kv_head, needle_of(b, head_index, i), bits);
    bits[special.channel] = 0;
    double unit = 0;
    for (int64_t d = 0; d < shape_.D; ++d) {
      const auto x = static_cast<double>(float_of_bf16(bits[d]));
      unit += x * x * static_cast<double>(shape_.scale());
    }
    const int64_t turn = special.channel + 3 * head_index + i;
    scale_row(bits, shape_.D,
              needle_gain(turn % kNeedleStrengths,
                          std::max<int64_t>(shape_.visible_keys(i), 1), unit));
    bits[special.channel] = half_offset(kContrastGap, shape_.scale());
    return;
  }
  vector_ops().normal_bf16(seed, shape_.D, bits);
  const float scale = shape_.scale();
  switch (special.kind) {
    case InputKind::shift_up:
    case InputKind::shift_down:
      bits[special.channel] = half_offset(kLogitShift, scale);
      break;
    case InputKind::mixed:
      scale_row(bits, shape_.D, mixed_scale(seed));
      if ((head_index + (i + special.channel) / 2) % kZeroQueryEvery == 0) {
        std::fill_n(bits, shape_.D, uint16_t{0});
      }
      break;
    case InputKind::contrast:
      scale_row(bits, shape_.D, kContrastQuery);
      bits[special.channel] = half_offset(kContrastGap, scale);
      break;
    case InputKind::sink:
      bits[special.channel] =
          half_offset(sink_logit(shape_.visible_keys(i)), scale);
      break;
    default:
      break;
  }
}

void InputGenerator::key_row(int64_t b, int64_t kv_head, int64_t j,
                             uint16_t* bits) const {
  const Head& special = head(b, kv_head);
  const uint64_t seed = row_seed(kKey, b, kv_head, j);
  vector_ops().normal_bf16(seed, shape_.D, bits);
  const float scale = shape_.scale();
  uint16_t& channel = bits[special.channel];
  switch (special.kind) {
    case InputKind::shift_up:
      channel = half_offset(kLogitShift, scale);
      if (is_low(shape_.Lk, j)) channel ^= 0x8000;
      break;
    case InputKind::shift_down:
      channel = half_offset(kLogitShift, scale) ^ 0x8000;
      break;
    case InputKind::outlier:
      channel = bf16_of_float(float_of_bf16(channel) * kOutlierGain);
      break;
    case InputKind::mixed:
      scale_row(bits, shape_.D, mixed_scale(seed));
      if (mix(seed, 2) % kZeroKeyEvery == 0) {
        std::fill_n(bits, shape_.D, uint16_t{0});
      }
      break;
    case InputKind::needle:
    case InputKind::contrast:
      channel = 0;
      if (!in_heavy_group(row_seed(kKey, b, kv_head, -1), j)) {
        channel = half_offset(kContrastGap, scale) ^ 0x8000;
      }
      break;
    case InputKind::sink:
      channel = 0;
      if (j < kSinkKeys) channel = half_offset(sink_logit(shape_.Lk), scale);
      break;
    default:
      break;
  }
}

void InputGenerator::value_row(int64_t b, int64_t kv_head, int64_t j,
                               uint16_t* bits) const {
  const Head& special = head(b, kv_head);
  const uint64_t seed = row_seed(kValue, b, kv_head, j);
  vector_ops().normal_bf16(seed, shape_.D, bits);
  switch (special.kind) {
    case InputKind::mixed:
      scale_row(bits, shape_.D, mixed_scale(seed) * special.value_gain);
      break;
    case InputKind::needle:
    case InputKind::contrast: {
      const bool heavy = in_heavy_group(row_seed(kKey, b, kv_head, -1), j);
      const float gain = heavy ? kContrastSurplus : -1.0f;
      change_row(bits, shape_.D, [&](float x, int64_t d) {
        return kContrastNoise * x + gain * float_of_bf16(special.direction[d]);
      });
      break;
    }
    case InputKind::sink:
      if (j < kSinkKeys) break;
      change_row(bits, shape_.D, [&](float x, int64_t d) {
        return kSinkNoise * x + float_of_bf16(special.direction[d]);
      });
      break;
    default:
      break;
  }
}

void InputGenerator::key_plane(int64_t b, int64_t kv_head,
                               uint16_t* bits) const {
  for (int64_t j = 0; j < shape_.Lk; ++j) {
    key_row(b, kv_head, j, bits + j * shape_.D);
  }
}

void InputGenerator::value_plane(int64_t b, int64_t kv_head,
                                 uint16_t* bits) const {
  for (int64_t j = 0; j < shape_.Lk; ++j) {
    value_row(b, kv_head, j, bits + j * shape_.D);
  }
}

FloatInputs float_inputs(const InputGenerator& generator) {
  const AttentionShape& shape = generator.shape();
  const VectorOps& ops = vector_ops();
  FloatInputs inputs;
  inputs.shape = shape;
  inputs.query.resize(shape.num_rows() * shape.D);
  inputs.key.resize(shape.B * shape.Hkv * shape.Lk * shape.D);
  inputs.value.resize(inputs.key.size());
  std::vector<uint16_t> bits(shape.Lk * shape.D);
  for (int64_t b = 0; b < shape.B; ++b) {
    for (int64_t h = 0; h < shape.Hq; ++h) {
      for (int64_t i = 0; i < shape.Lq; ++i) {
        generator.query_row(b, h, i, bits.data());
        ops.floats_of_bf16(
            bits.data(), shape.D,
            &inputs.query[((b * shape.Hq + h) * shape.Lq + i) * shape.D]);
      }
    }
    for (int64_t h = 0; h < shape.Hkv; ++h) {
      const int64_t plane = (b * shape.Hkv + h) * shape.Lk * shape.D;
      const auto count = static_cast<int64_t>(bits.size());
      generator.key_plane(b, h, bits.data());
      ops.floats_of_bf16(bits.data(), count, &inputs.key[plane]);
      generator.value_plane(b, h, bits.data());
      ops.floats_of_bf16(bits.data(), count, &inputs.value[plane]);
    }
  }
  return inputs;
}

}  // namespace evoke::attention
