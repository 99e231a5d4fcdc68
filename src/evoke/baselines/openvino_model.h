// The two OpenVINO graphs that compute attention on a CPU.
#pragma once

#include <memory>
#include <openvino/openvino.hpp>

#include "evoke/baselines/attention_call.h"

namespace evoke::baselines {

// ScaledDotProductAttention on static shapes: the CPU plugin turns it into one
// generated kernel. Inputs, dense: query (B * Hkv, G, Lq, D), key and value
// (B * Hkv, 1, rows, D), of which the first Lk rows are used; output like the
// query. Folding the key/value heads into the batch is what keeps the plugin
// from copying key and value once per query head.
std::shared_ptr<ov::Model> sdpa_model(const Geometry& geometry,
                                      int64_t key_rows);

// PagedAttention, the op behind OpenVINO's own text generation and its best
// way for one query row. Every key/value head is a sequence of its own, so
// that a plain (B, Hkv, capacity, D) buffer is a pool of blocks of
// kBlockRows rows; that buffer is only read. Inputs are named.
// Throws when this OpenVINO has another form of the op.
inline constexpr int64_t kBlockRows = 32;
std::shared_ptr<ov::Model> paged_model(ov::Core& core,
                                       const Geometry& geometry);

}  // namespace evoke::baselines
