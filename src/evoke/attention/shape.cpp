#include "evoke/attention/shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace evoke::attention {
namespace {

constexpr AttentionShape kQwen;

int64_t value_of(const Shape& shape, const char* letter) {
  const auto found = shape.values.find(letter);
  if (found == shape.values.end()) {
    throw std::out_of_range(fmt::format(
        "[attention::from_shape] shape '{}' has no '{}'", shape.name, letter));
  }
  return found->second;
}

}  // namespace

float AttentionShape::scale() const {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(D)));
}

int64_t AttentionShape::visible_keys(int64_t i) const {
  return causal ? std::clamp<int64_t>(Lk - Lq + i + 1, 0, Lk) : Lk;
}

int64_t AttentionShape::key_rows() const {
  int64_t sum = Lq * Lk;
  if (causal) {
    // Arithmetic series over the rows that see at least one key.
    const int64_t rows = std::min(Lq, Lk);
    sum = rows * Lk - rows * (rows - 1) / 2;
  }
  return B * Hq * sum;
}

std::string AttentionShape::name() const {
  std::string text;
  if (Lq == 1) {
    text = fmt::format("decode-{}", Lk);
  } else if (Lq == Lk) {
    text = fmt::format("prefill-{}", Lk);
  } else {
    text = fmt::format("chunk-{}x{}", Lq, Lk);
  }
  // Decode without and prefill with a mask are the usual ones.
  if (causal != (Lq > 1)) text += causal ? "-causal" : "-full";
  if (B != 1) text += fmt::format("-b{}", B);
  if (Hq != kQwen.Hq || Hkv != kQwen.Hkv) {
    text += fmt::format("-h{}:{}", Hq, Hkv);
  }
  if (D != kQwen.D) text += fmt::format("-d{}", D);
  return text;
}

Result<void> check(const AttentionShape& shape) {
  const std::pair<const char*, int64_t> sizes[] = {
      {"B", shape.B},   {"Hq", shape.Hq}, {"Hkv", shape.Hkv},
      {"Lq", shape.Lq}, {"Lk", shape.Lk}, {"D", shape.D}};
  for (const auto& [letter, value] : sizes) {
    if (value < 1 || value > (int64_t{1} << 24)) {
      return failed(fmt::format("{} is {}; use 1 to 2^24", letter, value));
    }
  }
  if (shape.Hq % shape.Hkv != 0) {
    return failed(
        fmt::format("Hq is {}, not a multiple of Hkv {}", shape.Hq, shape.Hkv));
  }
  if (shape.D % 8 != 0 || shape.D > 512) {
    return failed(fmt::format(
        "D is {}; use a multiple of 8 up to 512 (strides are multiples of 8)",
        shape.D));
  }
  if (shape.causal && shape.Lq > shape.Lk) {
    return failed(
        fmt::format("Lq {} > Lk {} with causal leaves queries without a key",
                    shape.Lq, shape.Lk));
  }
  return {};
}

Shape to_shape(const AttentionShape& shape, const std::string& name) {
  Shape result;
  result.name = name.empty() ? shape.name() : name;
  result.values = {{"B", shape.B},
                   {"Hq", shape.Hq},
                   {"Hkv", shape.Hkv},
                   {"Lq", shape.Lq},
                   {"Lk", shape.Lk},
                   {"D", shape.D},
                   {"causal", shape.causal ? 1 : 0}};
  result.scalars = {{"scale", shape.scale()}};
  return result;
}

AttentionShape from_shape(const Shape& shape) {
  AttentionShape result;
  result.B = value_of(shape, "B");
  result.Hq = value_of(shape, "Hq");
  result.Hkv = value_of(shape, "Hkv");
  result.Lq = value_of(shape, "Lq");
  result.Lk = value_of(shape, "Lk");
  result.D = value_of(shape, "D");
  result.causal = value_of(shape, "causal") != 0;
  return result;
}

}  // namespace evoke::attention
