#include "evoke/baselines/openvino_model.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <openvino/opsets/opset13.hpp>
#include <string>
#include <vector>

namespace evoke::baselines {
namespace {

namespace op = ov::opset13;

std::shared_ptr<op::Constant> integer(int64_t value) {
  return op::Constant::create(ov::element::i64, {1}, {value});
}

ov::Output<ov::Node> first_rows(const ov::Output<ov::Node>& input,
                                int64_t rows) {
  return std::make_shared<op::Slice>(input, integer(0), integer(rows),
                                     integer(1), integer(2));
}

// Zero where query i may see key j, -infinity elsewhere. The op's own causal
// flag aligns the mask to the top left.
std::shared_ptr<op::Constant> causal_mask(int64_t num_queries,
                                          int64_t num_keys) {
  std::vector<ov::bfloat16> mask(
      static_cast<std::size_t>(num_queries * num_keys), ov::bfloat16(0.0F));
  for (int64_t i = 0; i < num_queries; ++i) {
    for (int64_t j = num_keys - num_queries + i + 1; j < num_keys; ++j) {
      mask[static_cast<std::size_t>(i * num_keys + j)] =
          -std::numeric_limits<float>::infinity();
    }
  }
  const ov::Shape shape{1, 1, static_cast<std::size_t>(num_queries),
                        static_cast<std::size_t>(num_keys)};
  return op::Constant::create(ov::element::bf16, shape, mask);
}

}  // namespace

std::shared_ptr<ov::Model> sdpa_model(const Geometry& geometry,
                                      int64_t key_rows) {
  const int64_t heads = geometry.B * geometry.Hkv;
  const auto bf16 = ov::element::bf16;
  auto query = std::make_shared<op::Parameter>(
      bf16, ov::PartialShape{heads, geometry.group(), geometry.Lq, geometry.D});
  const ov::PartialShape rows{heads, 1, key_rows, geometry.D};
  auto key = std::make_shared<op::Parameter>(bf16, rows);
  auto value = std::make_shared<op::Parameter>(bf16, rows);
  ov::OutputVector inputs{query, key, value};
  if (key_rows != geometry.Lk) {
    inputs[1] = first_rows(key, geometry.Lk);
    inputs[2] = first_rows(value, geometry.Lk);
  }
  const float usual = 1 / std::sqrt(static_cast<float>(geometry.D));
  const bool own_scale = std::abs(geometry.scale / usual - 1) > 1e-6F;
  const bool masked = geometry.causal && geometry.Lq > 1;
  if (masked) {
    inputs.push_back(causal_mask(geometry.Lq, geometry.Lk));
  } else if (own_scale) {
    inputs.push_back(op::Constant::create(bf16, {1, 1, 1, 1}, {0.0F}));
  }
  if (own_scale) {
    inputs.push_back(op::Constant::create(bf16, {}, {geometry.scale}));
  }
  auto attention =
      std::make_shared<op::ScaledDotProductAttention>(inputs, false);
  return std::make_shared<ov::Model>(
      ov::ResultVector{std::make_shared<op::Result>(attention)},
      ov::ParameterVector{query, key, value});
}

// The op has no public header: it is made from OpenVINO's own model format,
// as a model read from disk would be.
std::shared_ptr<ov::Model> paged_model(ov::Core& core,
                                       const Geometry& geometry) {
  struct Port {
    const char* name;
    const char* type;
    std::vector<int64_t> shape;  // -1: any
  };
  const int64_t dim = geometry.D;
  const std::vector<int64_t> any{-1}, any2{-1, -1}, scalar;
  const std::vector<int64_t> blocks{-1, 1, kBlockRows, dim};
  const Port ports[] = {
      {"query", "bf16", {-1, geometry.group() * dim}},
      {"key", "bf16", {-1, dim}},
      {"value", "bf16", {-1, dim}},
      {"key_cache", "bf16", blocks},
      {"value_cache", "bf16", blocks},
      {"past_lens", "i32", any},
      {"subsequence_begins", "i32", any},
      {"block_indices", "i32", any},
      {"block_indices_begins", "i32", any},
      {"scale", "f32", scalar},
      {"sliding_window", "i32", scalar},
      {"alibi_slopes", "f32", any},
      {"max_context_len", "i32", scalar},
      {"score_aggregation_window", "i32", any},
      {"rotated_block_indices", "i32", any},
      {"rotation_deltas", "i32", any2},
      {"rotation_trig_lut", "f32", any2},
      {"xattention_threshold", "f32", any},
      {"xattention_block_size", "i32", scalar},
      {"xattention_stride", "i32", scalar},
      {"sinks", "f32", any},
      {"adaptive_rkv_start_size", "i32", scalar},
      {"adaptive_rkv_evictable_sizes", "i32", any},
      {"adaptive_rkv_blocks", "i32", any},
      {"adaptive_rkv_blocks_begins", "i32", any},
      {"token_type_ids", "i32", any},
      {"qq_bias", "u8", any},
      {"qq_bias_begins", "i32", any},
  };
  const std::size_t count = std::size(ports);
  std::string layers, inputs, edges;
  for (std::size_t i = 0; i < count; ++i) {
    std::string dims;
    std::vector<std::string> sizes;
    for (const int64_t size : ports[i].shape) {
      sizes.push_back(size < 0 ? "?" : fmt::format("{}", size));
      dims += fmt::format("<dim>{}</dim>", size);
    }
    layers += fmt::format(
        "<layer id=\"{0}\" name=\"{1}\" type=\"Parameter\" version=\"opset1\">"
        "<data shape=\"{2}\" element_type=\"{3}\"/><output><port id=\"0\" "
        "precision=\"{3}\" names=\"{1}\">{4}</port></output></layer>",
        i, ports[i].name, fmt::join(sizes, ","), ports[i].type, dims);
    inputs += fmt::format("<port id=\"{}\" precision=\"{}\">{}</port>", i,
                          ports[i].type, dims);
    edges += fmt::format(
        "<edge from-layer=\"{0}\" from-port=\"0\" to-layer=\"{1}\" "
        "to-port=\"{0}\"/>",
        i, count);
  }
  const std::string text = fmt::format(
      "<?xml version=\"1.0\"?><net name=\"paged\" version=\"11\"><layers>{0}"
      "<layer id=\"{1}\" name=\"attention\" type=\"PagedAttentionExtension\" "
      "version=\"extension\"><data write_kv_cache=\"false\"/><input>{2}"
      "</input><output><port id=\"{1}\" precision=\"bf16\"><dim>-1</dim>"
      "<dim>-1</dim></port></output></layer>"
      "<layer id=\"{3}\" name=\"result\" type=\"Result\" version=\"opset1\">"
      "<input><port id=\"0\" "
      "precision=\"bf16\"><dim>-1</dim><dim>-1</dim></port></input></layer>"
      "</layers><edges>{4}<edge from-layer=\"{1}\" from-port=\"{1}\" "
      "to-layer=\"{3}\" to-port=\"0\"/></edges></net>",
      layers, count, inputs, count + 1, edges);
  std::shared_ptr<ov::Model> model = core.read_model(text, ov::Tensor());
  for (const std::shared_ptr<ov::Node>& node : model->get_ops()) {
    if (node->get_friendly_name() != "attention") continue;
    auto& facts = node->get_rt_info();
    for (const char* heads : {"num_k_heads", "num_v_heads"}) {
      facts[heads] = int64_t{1};
    }
    for (const char* size : {"k_head_size", "v_head_size"}) facts[size] = dim;
  }
  return model;
}

}  // namespace evoke::baselines
