#include "attention_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "evoke/base/rng.h"

namespace evoke::testing {
namespace {

constexpr std::align_val_t kPage{4096};
constexpr int64_t kGuardRows = 3;
constexpr int kExtraCacheRows = 5;

float float_of(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
uint16_t bits_of(float value) {
  const uint32_t word = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((word + 0x7fff + ((word >> 16) & 1)) >> 16);
}

// (B, H, L, D) in memory as it is, with longer heads, or as (B, L, H, D).
TensorLayout make_layout(const std::string& name, int64_t B, int64_t H,
                         int64_t L, int64_t D, bool strided, bool is_cache) {
  TensorLayout layout;
  layout.name = name;
  layout.type = DType::bfloat16;
  layout.shape = {B, H, L, D};
  if (strided && !is_cache) {
    layout.strides = {L * H * D, D, H * D, 1};
  } else {
    const int64_t rows = strided ? L + kExtraCacheRows : L;
    layout.strides = {H * rows * D, rows * D, D, 1};
  }
  layout.offset_bytes = kGuardRows * D * 2;
  layout.allocation_bytes = (B * layout.strides[0] + 2 * kGuardRows * D) * 2;
  return layout;
}

std::vector<int64_t> packed_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * shape[i];
  }
  return strides;
}

int64_t offset_of(const TensorLayout& layout, int b, int h, int l, int d) {
  return b * layout.strides[0] + h * layout.strides[1] + l * layout.strides[2] +
         d;
}

}  // namespace

ProblemSignature attention_signature() {
  ProblemSignature signature;
  signature.name = "attention";
  signature.tensors = {
      {"query", DType::bfloat16, {"B", "Hq", "Lq", "D"}, false},
      {"key", DType::bfloat16, {"B", "Hkv", "Lk", "D"}, false},
      {"value", DType::bfloat16, {"B", "Hkv", "Lk", "D"}, false},
      {"output", DType::bfloat16, {"B", "Hq", "Lq", "D"}, true}};
  signature.constants = {"D", "Hq", "Hkv", "causal"};
  signature.sizes = {"B", "Lq", "Lk"};
  signature.scalars = {"scale"};
  return signature;
}

Shape to_shape(const CallShape& shape) {
  Shape out;
  out.name = to_string(shape);
  out.values = {{"B", shape.B},
                {"Hq", shape.Hq},
                {"Hkv", shape.Hkv},
                {"Lq", shape.Lq},
                {"Lk", shape.Lk},
                {"D", shape.D},
                {"causal", shape.causal ? 1 : 0}};
  out.scalars = {{"scale", 1.0f / std::sqrt(static_cast<float>(shape.D))}};
  return out;
}

std::string to_string(const CallShape& s) {
  return fmt::format("b{}-h{}x{}-{}x{}-d{}{}{}", s.B, s.Hq, s.Hkv, s.Lq, s.Lk,
                     s.D, s.causal ? "-causal" : "",
                     s.strided ? "-strided" : "");
}

Memory::Memory(int64_t bytes)
    : data_(static_cast<std::byte*>(
          ::operator new(static_cast<std::size_t>(bytes), kPage))) {
  std::memset(data_.get(), 0xff, static_cast<std::size_t>(bytes));
}

void Memory::Free::operator()(std::byte* data) const {
  ::operator delete(data, kPage);
}

AttentionCall::AttentionCall(const CallShape& shape, uint64_t seed)
    : shape_(shape) {
  const CallShape& s = shape_;
  std::vector<TensorLayout> layouts{
      make_layout("query", s.B, s.Hq, s.Lq, s.D, s.strided, false),
      make_layout("key", s.B, s.Hkv, s.Lk, s.D, s.strided, true),
      make_layout("value", s.B, s.Hkv, s.Lk, s.D, s.strided, true),
      make_layout("output", s.B, s.Hq, s.Lq, s.D, s.strided, false)};
  Rng rng(seed);
  for (TensorLayout& layout : layouts) {
    memory_.push_back(std::make_unique<Memory>(layout.allocation_bytes));
    BoundTensor tensor;
    tensor.data = memory_.back()->data() + layout.offset_bytes;
    tensor.buffer = {{memory_.back()->data(),
                      static_cast<std::size_t>(layout.allocation_bytes)},
                     layout.name == "output"};
    tensor.layout = std::move(layout);
    tensors_.push_back(std::move(tensor));
  }
  for (std::size_t t = 0; t < 3; ++t) {
    const TensorLayout& layout = tensors_[t].layout;
    auto* const data = reinterpret_cast<uint16_t*>(tensors_[t].data);
    for (int b = 0; b < layout.shape[0]; ++b) {
      for (int h = 0; h < layout.shape[1]; ++h) {
        for (int l = 0; l < layout.shape[2]; ++l) {
          for (int d = 0; d < layout.shape[3]; ++d) {
            data[offset_of(layout, b, h, l, d)] =
                bits_of(static_cast<float>(rng.normal()));
          }
        }
      }
    }
  }
}

AttentionCall::AttentionCall(const AttentionCall& other)
    : shape_(other.shape_) {
  for (std::size_t t = 0; t < other.tensors_.size(); ++t) {
    BoundTensor tensor = other.tensors_[t];
    memory_.push_back(std::make_unique<Memory>(tensor.layout.allocation_bytes));
    std::memcpy(memory_.back()->data(), other.memory_[t]->data(),
                static_cast<std::size_t>(tensor.layout.allocation_bytes));
    tensor.data = memory_.back()->data() + tensor.layout.offset_bytes;
    tensor.buffer.bytes = {
        memory_.back()->data(),
        static_cast<std::size_t>(tensor.layout.allocation_bytes)};
    tensors_.push_back(std::move(tensor));
  }
}

float AttentionCall::element(std::size_t tensor, int b, int h, int l,
                             int d) const {
  const BoundTensor& bound = tensors_[tensor];
  return float_of(reinterpret_cast<const uint16_t*>(
      bound.data)[offset_of(bound.layout, b, h, l, d)]);
}

std::vector<double> AttentionCall::expected_row(int b, int h, int i) const {
  const int kv_head = h / (shape_.Hq / shape_.Hkv);
  const int visible =
      shape_.causal ? std::clamp(shape_.Lk - shape_.Lq + i + 1, 0, shape_.Lk)
                    : shape_.Lk;
  const double scale = 1.0 / std::sqrt(static_cast<double>(shape_.D));
  std::vector<double> scores(static_cast<std::size_t>(visible));
  double greatest = -std::numeric_limits<double>::infinity();
  for (int j = 0; j < visible; ++j) {
    double sum = 0;
    for (int d = 0; d < shape_.D; ++d) {
      sum += static_cast<double>(element(0, b, h, i, d)) *
             static_cast<double>(element(1, b, kv_head, j, d));
    }
    scores[static_cast<std::size_t>(j)] = sum * scale;
    greatest = std::max(greatest, sum * scale);
  }
  double total = 0;
  std::vector<double> row(static_cast<std::size_t>(shape_.D), 0.0);
  for (int j = 0; j < visible; ++j) {
    const double p = std::exp(scores[static_cast<std::size_t>(j)] - greatest);
    total += p;
    for (int d = 0; d < shape_.D; ++d) {
      row[static_cast<std::size_t>(d)] +=
          p * static_cast<double>(element(2, b, kv_head, j, d));
    }
  }
  for (double& value : row) value = visible > 0 ? value / total : 0.0;
  return row;
}

double AttentionCall::worst_error(int step) const {
  double worst = 0;
  for (int b = 0; b < shape_.B; ++b) {
    for (int h = 0; h < shape_.Hq; ++h) {
      for (int i = 0; i < shape_.Lq; i += step) {
        const auto row = expected_row(b, h, i);
        double largest = 1e-30;
        for (const double value : row) {
          largest = std::max(largest, std::abs(value));
        }
        for (int d = 0; d < shape_.D; ++d) {
          const double error =
              std::abs(static_cast<double>(element(3, b, h, i, d)) -
                       row[static_cast<std::size_t>(d)]) /
              largest;
          if (!(error <= worst)) worst = error;
          if (std::isnan(worst)) return worst;
        }
      }
    }
  }
  return worst;
}

void AttentionCall::poison_output() {
  std::memset(memory_[3]->data(), 0xff,
              static_cast<std::size_t>(tensors_[3].layout.allocation_bytes));
}

Scratch::Scratch(const LaunchPlan& plan) {
  for (const ResolvedScratch& scratch : plan.scratch) {
    memory_.push_back(std::make_unique<Memory>(scratch.bytes));
    BoundTensor tensor;
    tensor.data = memory_.back()->data();
    tensor.buffer = {
        {memory_.back()->data(), static_cast<std::size_t>(scratch.bytes)},
        true};
    tensor.layout.name = scratch.name;
    tensor.layout.type = scratch.type;
    tensor.layout.shape = scratch.shape;
    tensor.layout.strides = packed_strides(scratch.shape);
    tensor.layout.allocation_bytes = scratch.bytes;
    tensors_.push_back(std::move(tensor));
  }
}

}  // namespace evoke::testing
