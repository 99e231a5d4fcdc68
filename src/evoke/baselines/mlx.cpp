// Baseline "mlx": mx.fast.scaled_dot_product_attention through MLX's C++ API.
//
// MLX has no fused attention on CPUs: the call is a graph of matmul, softmax
// and matmul. On Linux its bfloat16 matmul is scalar and single-threaded,
// its float32 matmul is BLAS. So there are two ways to run it:
//   mlx-bfloat16  the call as written
//   mlx-float32   the same call on inputs cast to float32, result cast back;
//                 the casts are part of the call and of its time
// and "mlx" takes the better one. That is float32 on every shape where a
// threaded BLAS is in front of MLX's own (docs/baselines.md); a measurement
// at that point could be fooled by a busy machine, to MLX's disadvantage.
// Elsewhere it is measured when a shape is first prepared.
#include <mlx/mlx.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>

#include "evoke/baselines/attention_call.h"
#include "evoke/baselines/call_table.h"
#include "evoke/baselines/mlx_blas.h"
#include "evoke/baselines/module.h"

namespace evoke::baselines {
namespace {

namespace mx = mlx::core;

enum class Way { bfloat16, float32 };

// A view of the caller's memory as an MLX array, without a copy.
//
// The public constructor for foreign memory copies with MLX's CPU allocator,
// because that keeps a size in front of each block. What it keeps is found by
// asking a Buffer where its data begins; nothing reads it for memory that MLX
// does not own.
mx::array wrap(const TensorView& view, const mx::Stream& stream) {
  if (view.span() > std::numeric_limits<int>::max()) {
    throw std::length_error("a tensor spans more than 2^31 elements");
  }
  mx::allocator::Buffer probe(view.data);
  const auto header = static_cast<std::byte*>(probe.raw_ptr()) - view.data;
  mx::array flat(mx::allocator::Data(mx::allocator::Buffer(view.data - header),
                                     [](mx::allocator::Buffer) {}),
                 mx::Shape{static_cast<int>(view.span())}, mx::bfloat16);
  mx::Shape shape(view.shape.begin(), view.shape.end());
  mx::Strides strides(view.strides.begin(), view.strides.end());
  mx::array array = mx::as_strided(flat, shape, strides, 0, stream);
  array.eval();
  if (static_cast<const void*>(array.data<mx::bfloat16_t>()) != view.data) {
    throw std::runtime_error("MLX copied a tensor that it was to wrap");
  }
  return array;
}

struct MlxCall {
  AttentionCall bound;
  mx::array query;
  mx::array key;
  mx::array value;
  Way way = Way::bfloat16;
};

mx::array attend(const MlxCall& call, const mx::array& query, Way way,
                 const mx::Stream& stream) {
  const Geometry& geometry = call.bound.geometry;
  const auto cast = [&](const mx::array& x, mx::Dtype type) {
    return mx::astype(x, type, stream);
  };
  const bool wide = way == Way::float32;
  mx::array result = mx::fast::scaled_dot_product_attention(
      wide ? cast(query, mx::float32) : query,
      wide ? cast(call.key, mx::float32) : call.key,
      wide ? cast(call.value, mx::float32) : call.value, geometry.scale,
      geometry.causal ? "causal" : "", {}, {}, false, stream);
  return wide ? cast(result, mx::bfloat16) : result;
}

double milliseconds_of(const MlxCall& call, const mx::array& query, Way way,
                       const mx::Stream& stream) {
  const auto start = std::chrono::steady_clock::now();
  attend(call, query, way, stream).eval();
  const std::chrono::duration<double, std::milli> elapsed =
      std::chrono::steady_clock::now() - start;
  return elapsed.count();
}

// The best of a few alternating runs each, on the last rows of the query: the
// ways differ in the cost per row, so that a part of a long prefill tells.
Way measure_ways(const MlxCall& call, const mx::Stream& stream) {
  constexpr int kRows = 64;
  constexpr int kMinRounds = 3;
  constexpr int kMaxRounds = 10;
  constexpr double kBudgetMs = 100;
  const int rows = call.query.shape(2);
  const int first = std::max(0, rows - kRows);
  mx::array query = mx::slice(
      call.query, {0, 0, first, 0},
      {call.query.shape(0), call.query.shape(1), rows, call.query.shape(3)},
      stream);
  query.eval();
  double best[2] = {1e300, 1e300};
  double spent = 0;
  for (int round = 0;
       round < kMinRounds || (round < kMaxRounds && spent < kBudgetMs);
       ++round) {
    for (const Way way : {Way::bfloat16, Way::float32}) {
      const double ms = milliseconds_of(call, query, way, stream);
      spent += ms;
      best[static_cast<int>(way)] = std::min(best[static_cast<int>(way)], ms);
    }
  }
  return best[0] <= best[1] ? Way::bfloat16 : Way::float32;
}

class MlxBaseline : public Baseline {
 public:
  MlxBaseline(std::string name, std::optional<Way> way, int num_threads)
      : name_(std::move(name)),
        way_(way),
        blas_(use_blas(num_threads)),
        stream_(mx::new_thread_unsafe_stream(mx::Device::cpu)) {}

  std::string name() const override { return name_; }
  std::string version() const override {
    return std::string(mx::version()) + ", " + blas_.description;
  }

  Result<CallId> prepare(const Shape& shape,
                         std::vector<BoundTensor> tensors) override {
    const Result<AttentionCall> bound = attention_call(shape, tensors);
    if (!bound) return error_of(bound);
    try {
      MlxCall call{*bound, wrap(bound->query, stream_),
                   wrap(bound->key, stream_), wrap(bound->value, stream_)};
      call.way = way_of(call);
      return calls_.add(std::move(call));
    } catch (const std::exception& error) {
      return failed("MLX: " + std::string(error.what()));
    }
  }

  void release(CallId call) override { calls_.remove(call); }

  Result<void> run(std::span<const CallId> calls, bool collect) override {
    for (const CallId id : calls) {
      MlxCall* call = calls_.find(id);
      if (call == nullptr) return calls_.unknown(id);
      try {
        mx::array result = attend(*call, call->query, call->way, stream_);
        result.eval();
        if (!collect) continue;
        mx::array dense = mx::contiguous(result, false, stream_);
        dense.eval();
        copy_into(call->bound.output, reinterpret_cast<const std::byte*>(
                                          dense.data<mx::bfloat16_t>()));
      } catch (const std::exception& error) {
        return failed("MLX: " + std::string(error.what()));
      }
    }
    return {};
  }

  std::string path_of(CallId id) const override {
    const MlxCall* call = calls_.find(id);
    if (call == nullptr) return {};
    return call->way == Way::bfloat16
               ? "bfloat16, 1 thread"
               : "float32 with casts, " + blas_.description;
  }

 private:
  Way way_of(const MlxCall& call) {
    if (way_) return *way_;
    if (blas_.own) return Way::float32;
    const auto known = chosen_.find(call.bound.geometry);
    if (known != chosen_.end()) return known->second;
    const Way way = measure_ways(call, stream_);
    chosen_.emplace(call.bound.geometry, way);
    return way;
  }

  std::string name_;
  std::optional<Way> way_;  // none: the better one per shape
  Blas blas_;
  mx::Stream stream_;  // serial; not bound to the thread that made it
  std::map<Geometry, Way> chosen_;
  CallTable<MlxCall> calls_;
};

}  // namespace
}  // namespace evoke::baselines

EVOKE_BASELINE_MODULE void evoke_open_baseline(
    const std::string& name, int num_threads,
    evoke::Result<std::unique_ptr<evoke::Baseline>>* reply) {
  using evoke::baselines::MlxBaseline;
  using evoke::baselines::Way;
  try {
    std::optional<Way> way;
    if (name == "mlx-bfloat16") way = Way::bfloat16;
    if (name == "mlx-float32") way = Way::float32;
    *reply = std::make_unique<MlxBaseline>(name, way, num_threads);
  } catch (const std::exception& error) {
    *reply = evoke::failed("MLX does not start: " + std::string(error.what()));
  }
}
