#include "evoke/baselines/onednn_plan.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

// GCC's omp.h is no header of clang-tidy's.
extern "C" void omp_set_num_threads(int);
extern "C" int omp_get_thread_num();

namespace evoke::baselines {
namespace {

using dnnl::matmul;
using dnnl::memory;
using dnnl::softmax_v2_forward;
using Type = memory::data_type;
using Arguments = std::unordered_map<int, memory>;

constexpr int64_t kTileRows = 128;
constexpr std::size_t kPageBytes = 4096;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr scaled_by(float scale) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_output_scales(0, {scale});
  return attributes;
}

dnnl::primitive_attr plain() { return scaled_by(1); }

// A primitive and what it needs beside its tensors.
template <typename Primitive>
struct Step {
  Primitive primitive;
  memory::desc scratchpad;

  Step() = default;
  explicit Step(const typename Primitive::primitive_desc& description)
      : primitive(description), scratchpad(description.scratchpad_desc()) {}
};

Step<matmul> multiply(const memory::desc& left, const memory::desc& right,
                      const memory::desc& result,
                      const dnnl::primitive_attr& attributes) {
  return Step<matmul>(matmul::primitive_desc(matmul::desc(left, right, result),
                                             attributes, cpu()));
}

Step<softmax_v2_forward> soften(const memory::desc& scores,
                                const memory::desc& probabilities, int axis) {
  return Step<softmax_v2_forward>(softmax_v2_forward::primitive_desc(
      softmax_v2_forward::desc(dnnl::prop_kind::forward_inference,
                               dnnl::algorithm::softmax_accurate, scores,
                               probabilities, axis),
      plain(), cpu()));
}

// Page-aligned, as oneDNN's own scratch is.
class Scratch {
 public:
  std::byte* reserve(std::size_t bytes) {
    bytes_.resize(bytes + kPageBytes);
    const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data());
    return bytes_.data() + (kPageBytes - address % kPageBytes);
  }

 private:
  std::vector<std::byte> bytes_;
};

memory at(const memory::desc& description, void* data) {
  return memory(description, cpu(), data);
}

// --- One query row, all heads at once -------------------------------------

class WholeDecode : public OnednnPlan {
 public:
  WholeDecode(const Geometry& geometry, int num_threads) {
    set_onednn_threads(num_threads);
    const int64_t heads = geometry.B * geometry.Hkv;
    const int64_t group = geometry.group();
    const int64_t keys = geometry.Lk;
    const int64_t dim = geometry.D;
    using Tag = memory::format_tag;
    query_ = {{heads, dim, group}, Type::bf16, Tag::acb};
    rows_ = {{heads, keys, dim}, Type::bf16, Tag::abc};
    output_ = {{heads, group, dim}, Type::bf16, Tag::abc};
    const memory::desc by_key({heads, keys, group}, Type::f32, Tag::abc);
    const memory::desc by_key_seen({heads, group, keys}, Type::f32, Tag::acb);
    const memory::desc by_row({heads, group, keys}, Type::f32, Tag::abc);
    const memory::desc weights({heads, group, keys}, Type::bf16, Tag::abc);

    score_ = multiply(rows_, query_, by_key, scaled_by(geometry.scale));
    transpose_ = Step<dnnl::reorder>(dnnl::reorder::primitive_desc(
        cpu(), by_key_seen, cpu(), by_row, plain()));
    soften_ = soften(by_row, weights, 2);
    combine_ = multiply(weights, rows_, output_, plain());

    std::byte* pad = scratch_[0].reserve(std::max(
        {score_.scratchpad.get_size(), transpose_.scratchpad.get_size(),
         soften_.scratchpad.get_size(), combine_.scratchpad.get_size()}));
    std::byte* first = scratch_[1].reserve(by_key.get_size());
    std::byte* second = scratch_[2].reserve(by_row.get_size());
    std::byte* third = scratch_[3].reserve(weights.get_size());
    score_arguments_ = {{DNNL_ARG_DST, at(by_key, first)},
                        {DNNL_ARG_SCRATCHPAD, at(score_.scratchpad, pad)}};
    transpose_arguments_ = {
        {DNNL_ARG_SRC, at(by_key_seen, first)},
        {DNNL_ARG_DST, at(by_row, second)},
        {DNNL_ARG_SCRATCHPAD, at(transpose_.scratchpad, pad)}};
    soften_arguments_ = {{DNNL_ARG_SRC, at(by_row, second)},
                         {DNNL_ARG_DST, at(weights, third)},
                         {DNNL_ARG_SCRATCHPAD, at(soften_.scratchpad, pad)}};
    combine_arguments_ = {{DNNL_ARG_SRC, at(weights, third)},
                          {DNNL_ARG_SCRATCHPAD, at(combine_.scratchpad, pad)}};
  }

  std::string describe() const override {
    return "all heads in one, key x query^T";
  }

  std::unique_ptr<OnednnCall> bind(const AttentionCall& call) override {
    return std::make_unique<Call>(*this, call);
  }

 private:
  class Call : public OnednnCall {
   public:
    Call(WholeDecode& plan, const AttentionCall& call)
        : plan_(plan),
          score_(plan.score_arguments_),
          combine_(plan.combine_arguments_) {
      score_.emplace(DNNL_ARG_SRC, at(plan.rows_, call.key.data));
      score_.emplace(DNNL_ARG_WEIGHTS, at(plan.query_, call.query.data));
      combine_.emplace(DNNL_ARG_WEIGHTS, at(plan.rows_, call.value.data));
      combine_.emplace(DNNL_ARG_DST, at(plan.output_, call.output.data));
    }

    void run() override {
      plan_.score_.primitive.execute(plan_.stream_, score_);
      plan_.transpose_.primitive.execute(plan_.stream_,
                                         plan_.transpose_arguments_);
      plan_.soften_.primitive.execute(plan_.stream_, plan_.soften_arguments_);
      plan_.combine_.primitive.execute(plan_.stream_, combine_);
      plan_.stream_.wait();
    }

   private:
    WholeDecode& plan_;
    Arguments score_;
    Arguments combine_;
  };

  dnnl::stream stream_{cpu()};
  memory::desc query_, rows_, output_;
  Step<matmul> score_, combine_;
  Step<dnnl::reorder> transpose_;
  Step<softmax_v2_forward> soften_;
  Scratch scratch_[4];
  Arguments score_arguments_, transpose_arguments_, soften_arguments_,
      combine_arguments_;
};

// --- Tiles of rows of one head --------------------------------------------

// The rows that share a key/value plane and one matrix product: the query
// rows of one head, or, with a single query row, the heads of one group.
struct Rows {
  int64_t heads = 0;         // per batch entry
  int64_t heads_per_kv = 0;  // of those
  int64_t count = 0;
  int query_axis = 2;  // the axis of (B, H, L, D) that runs over the rows
};

class HeadTiles : public OnednnPlan {
 public:
  HeadTiles(const Geometry& geometry, int num_threads)
      : geometry_(geometry), num_threads_(num_threads) {
    const bool single = geometry.Lq == 1;
    rows_ = single ? Rows{geometry.Hkv, 1, geometry.group(), 1}
                   : Rows{geometry.Hq, geometry.group(), geometry.Lq, 2};
    const int64_t tile_rows = std::min(rows_.count, kTileRows);
    // Primitives made for one thread; the tiles are what runs in parallel.
    set_onednn_threads(1);
    for (int64_t row = 0; row < rows_.count; row += tile_rows) {
      tiles_.emplace_back(geometry_, rows_, row,
                          std::min(tile_rows, rows_.count - row));
    }
    set_onednn_threads(num_threads_);
    lanes_.resize(static_cast<std::size_t>(num_threads_));
    for (Lane& lane : lanes_) lane.bind(tiles_);
  }

  std::string describe() const override {
    return "head by head, " + std::to_string(tiles_.front().rows) + " rows";
  }

  std::unique_ptr<OnednnCall> bind(const AttentionCall& call) override {
    return std::make_unique<Call>(*this, call);
  }

 private:
  struct Tile {
    Tile(const Geometry& geometry, const Rows& all, int64_t first_row,
         int64_t num_rows)
        : first(first_row), rows(num_rows), keys(geometry.Lk) {
      masked = geometry.causal && all.query_axis == 2;
      if (masked) keys += first + rows - geometry.Lq;
      const int64_t dim = geometry.D;
      const auto matrix = [](int64_t height, int64_t width, Type type,
                             int64_t row_stride) {
        return memory::desc({height, width}, type,
                            memory::dims{height == 1 ? width : row_stride, 1});
      };
      const auto stride_of = [&](int tensor, int axis) {
        return geometry.strides[static_cast<std::size_t>(tensor)]
                               [static_cast<std::size_t>(axis)];
      };
      query = matrix(rows, dim, Type::bf16, stride_of(0, all.query_axis));
      key = memory::desc({dim, keys}, Type::bf16,
                         memory::dims{1, keys == 1 ? dim : stride_of(1, 2)});
      value = matrix(keys, dim, Type::bf16, stride_of(2, 2));
      output = matrix(rows, dim, Type::bf16, stride_of(3, all.query_axis));
      scores = matrix(rows, keys, Type::f32, keys);
      weights = matrix(rows, keys, Type::bf16, keys);
      score = multiply(query, key, scores, scaled_by(geometry.scale));
      soften_rows = soften(scores, weights, 1);
      combine = multiply(weights, value, output, plain());
    }

    int64_t first, rows, keys;
    bool masked = false;
    memory::desc query, key, value, output, scores, weights;
    Step<matmul> score, combine;
    Step<softmax_v2_forward> soften_rows;
  };

  // One thread's scratch, and its arguments for each tile; only addresses of
  // the four tensors change from task to task.
  struct Lane {
    struct Bound {
      memory query, key, value, output;
      Arguments score, soften, combine;
    };

    void bind(const std::vector<Tile>& tiles) {
      std::size_t pad_bytes = 0, score_bytes = 0, weight_bytes = 0;
      for (const Tile& tile : tiles) {
        pad_bytes = std::max({pad_bytes, tile.score.scratchpad.get_size(),
                              tile.soften_rows.scratchpad.get_size(),
                              tile.combine.scratchpad.get_size()});
        score_bytes = std::max(score_bytes, tile.scores.get_size());
        weight_bytes = std::max(weight_bytes, tile.weights.get_size());
      }
      std::byte* pad = scratch[0].reserve(pad_bytes);
      scores = reinterpret_cast<float*>(scratch[1].reserve(score_bytes));
      std::byte* weights = scratch[2].reserve(weight_bytes);
      for (const Tile& tile : tiles) {
        Bound bound;
        bound.query = at(tile.query, nullptr);
        bound.key = at(tile.key, nullptr);
        bound.value = at(tile.value, nullptr);
        bound.output = at(tile.output, nullptr);
        bound.score = {{DNNL_ARG_SRC, bound.query},
                       {DNNL_ARG_WEIGHTS, bound.key},
                       {DNNL_ARG_DST, at(tile.scores, scores)},
                       {DNNL_ARG_SCRATCHPAD, at(tile.score.scratchpad, pad)}};
        bound.soften = {
            {DNNL_ARG_SRC, at(tile.scores, scores)},
            {DNNL_ARG_DST, at(tile.weights, weights)},
            {DNNL_ARG_SCRATCHPAD, at(tile.soften_rows.scratchpad, pad)}};
        bound.combine = {
            {DNNL_ARG_SRC, at(tile.weights, weights)},
            {DNNL_ARG_WEIGHTS, bound.value},
            {DNNL_ARG_DST, bound.output},
            {DNNL_ARG_SCRATCHPAD, at(tile.combine.scratchpad, pad)}};
        bounds.push_back(std::move(bound));
      }
    }

    dnnl::stream stream{cpu()};
    Scratch scratch[3];
    float* scores = nullptr;
    std::vector<Bound> bounds;
  };

  class Call : public OnednnCall {
   public:
    Call(HeadTiles& plan, const AttentionCall& call)
        : plan_(plan), call_(call) {}
    void run() override { plan_.run(call_); }

   private:
    HeadTiles& plan_;
    AttentionCall call_;
  };

  void run(const AttentionCall& call) {
    const int64_t heads = geometry_.B * rows_.heads;
    const auto tasks = static_cast<int64_t>(tiles_.size()) * heads;
    std::exception_ptr error;  // none may leave a parallel region
    // The tiles with the most keys first: they are the long tasks.
#pragma omp parallel for schedule(dynamic, 1) num_threads(num_threads_)
    for (int64_t task = 0; task < tasks; ++task) {
      const auto lane = static_cast<std::size_t>(omp_get_thread_num());
      const auto tile =
          tiles_.size() - 1 - static_cast<std::size_t>(task / heads);
      try {
        run_task(call, lanes_[lane], tile, task % heads);
      } catch (...) {
#pragma omp critical
        error = std::current_exception();
      }
    }
    if (error) std::rethrow_exception(error);
  }

  void run_task(const AttentionCall& call, Lane& lane, std::size_t index,
                int64_t head_index) {
    const Tile& tile = tiles_[index];
    Lane::Bound& bound = lane.bounds[index];
    const int64_t b = head_index / rows_.heads;
    const int64_t head = head_index % rows_.heads;
    const int64_t kv_head = head / rows_.heads_per_kv;
    const auto rows_of = [&](const TensorView& view) {
      return rows_.query_axis == 2
                 ? view.at(b, head, tile.first)
                 : view.at(b, head * geometry_.group() + tile.first, 0);
    };
    bound.query.set_data_handle(rows_of(call.query));
    bound.key.set_data_handle(call.key.at(b, kv_head, 0));
    bound.value.set_data_handle(call.value.at(b, kv_head, 0));
    bound.output.set_data_handle(rows_of(call.output));
    tile.score.primitive.execute(lane.stream, bound.score);
    if (tile.masked) hide_future(lane.scores, tile.rows, tile.keys);
    tile.soften_rows.primitive.execute(lane.stream, bound.soften);
    tile.combine.primitive.execute(lane.stream, bound.combine);
  }

  // The tile's last row sees all its keys, the row before one fewer, ...
  static void hide_future(float* scores, int64_t rows, int64_t keys) {
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t visible = keys - (rows - 1 - row);
      std::fill(scores + row * keys + visible, scores + (row + 1) * keys,
                -std::numeric_limits<float>::infinity());
    }
  }

  Geometry geometry_;
  int num_threads_;
  Rows rows_;
  std::vector<Tile> tiles_;
  std::vector<Lane> lanes_;
};

}  // namespace

void set_onednn_threads(int num_threads) { omp_set_num_threads(num_threads); }

bool whole_decode_fits(const Geometry& geometry) {
  if (geometry.Lq != 1) return false;
  const int64_t dim = geometry.D;
  const auto dense = [&](const std::array<int64_t, 4>& strides, int64_t heads,
                         int64_t rows) {
    return strides ==
           std::array<int64_t, 4>{heads * rows * dim, rows * dim, dim, 1};
  };
  return dense(geometry.strides[0], geometry.Hq, 1) &&
         dense(geometry.strides[1], geometry.Hkv, geometry.Lk) &&
         dense(geometry.strides[2], geometry.Hkv, geometry.Lk) &&
         dense(geometry.strides[3], geometry.Hq, 1);
}

std::unique_ptr<OnednnPlan> make_whole_decode(const Geometry& geometry,
                                              int num_threads) {
  return std::make_unique<WholeDecode>(geometry, num_threads);
}

std::unique_ptr<OnednnPlan> make_head_tiles(const Geometry& geometry,
                                            int num_threads) {
  return std::make_unique<HeadTiles>(geometry, num_threads);
}

}  // namespace evoke::baselines
