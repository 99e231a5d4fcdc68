// Baseline "mlx-cuda": mx.fast.scaled_dot_product_attention of MLX's CUDA back
// end, which is cuDNN for most shapes.
//
// Its best case: query, key and value in plain memory of the GPU, key and
// value as slices of a cache whose capacity the judge chose (a multiple of
// 256), everything that is generated or compiled made before. A run is one
// evaluation of a chain in which every call's query is the answer of the call
// before, so that calls follow one another as a candidate's do; it is queued
// behind evoke's own gate, and the device's clock counts.
#include <cuda_runtime.h>
#include <mlx/backend/cuda/device.h>
#include <mlx/mlx.h>

#include <cmath>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "evoke/baselines/attention_call.h"
#include "evoke/baselines/call_table.h"
#include "evoke/baselines/module.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"
#include "evoke/devices/cuda/tools.h"

namespace evoke::baselines {
namespace {

namespace mx = mlx::core;

struct MlxCall {
  AttentionCall bound;
  mx::array query;
  mx::array key;
  mx::array value;
};

// The tensor in the GPU's memory, in a buffer as long as the rows of its heads
// are apart: where that is more than its length, a slice.
mx::array bring(const TensorView& view) {
  const auto [batch, heads, rows, width] = view.shape;
  const bool rows_are_dense = view.strides[2] == width;
  const bool heads_follow = view.strides[1] % width == 0 &&
                            view.strides[0] == heads * view.strides[1];
  const int64_t capacity =
      rows_are_dense && heads_follow ? view.strides[1] / width : rows;
  const auto size = static_cast<std::size_t>(batch * heads * capacity * width);
  std::vector<mx::bfloat16_t> dense(size);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t row = 0; row < rows; ++row) {
        std::memcpy(&dense[static_cast<std::size_t>(
                        ((b * heads + h) * capacity + row) * width)],
                    view.at(b, h, row),
                    static_cast<std::size_t>(width) * sizeof dense[0]);
      }
    }
  }
  const auto size_of = [](int64_t n) { return static_cast<int>(n); };
  mx::array host(dense.begin(),
                 mx::Shape{size_of(batch), size_of(heads), size_of(capacity),
                           size_of(width)},
                 mx::bfloat16);
  // The result of an operation lies in the GPU's own memory.
  mx::array there = mx::multiply(host, mx::array(1.0f, mx::bfloat16));
  there.eval();
  if (capacity == rows) return there;
  mx::array part = mx::slice(
      there, {0, 0, 0, 0},
      {size_of(batch), size_of(heads), size_of(rows), size_of(width)});
  part.eval();
  return part;
}

mx::array attend(const MlxCall& call, const mx::array& query) {
  const Geometry& geometry = call.bound.geometry;
  return mx::fast::scaled_dot_product_attention(
      query, call.key, call.value, geometry.scale,
      geometry.causal ? "causal" : "");
}

class MlxCudaBaseline : public Baseline {
 public:
  MlxCudaBaseline()
      : stream_(mx::default_stream(mx::Device::gpu)),
        cuda_stream_(mx::cu::get_command_encoder(stream_).stream()) {
    auto driver = cuda::load_driver();
    if (!driver) throw std::runtime_error(driver.error().message);
    driver_ = std::move(*driver);
    auto gpu = cuda::find_gpu(*driver_, "");
    if (!gpu) throw std::runtime_error(gpu.error().message);
    auto tools = cuda::Tools::open(*driver_, *gpu, ours());
    if (!tools) throw std::runtime_error(tools.error().message);
    tools_ = std::move(*tools);
    driver_->event_create(&begin_, cuda::kEventDefault);
    driver_->event_create(&end_, cuda::kEventDefault);
  }

  std::string name() const override { return "mlx-cuda"; }
  std::string version() const override { return mx::version(); }
  bool has_own_clock() const override { return true; }
  std::optional<int64_t> device_ns() const override { return device_ns_; }

  Result<CallId> prepare(const Shape& shape,
                         std::vector<BoundTensor> tensors) override {
    const Result<AttentionCall> bound = attention_call(shape, tensors);
    if (!bound) return error_of(bound);
    try {
      MlxCall call{*bound, bring(bound->query), bring(bound->key),
                   bring(bound->value)};
      // Plans and code of a shape are made in its first evaluations.
      if (warmed_.try_emplace(call.bound.geometry, true).second) {
        mx::array answer = attend(call, attend(call, call.query));
        answer.eval();
        mx::synchronize(stream_);
      }
      return calls_.add(std::move(call));
    } catch (const std::exception& error) {
      return failed("MLX: " + std::string(error.what()));
    }
  }

  void release(CallId call) override { calls_.remove(call); }

  Result<void> run(std::span<const CallId> calls, bool collect) override {
    device_ns_.reset();
    std::vector<MlxCall*> found;
    for (const CallId id : calls) {
      found.push_back(calls_.find(id));
      if (found.back() == nullptr) return calls_.unknown(id);
    }
    if (found.empty()) return {};
    try {
      return collect ? answer(found) : race(found);
    } catch (const std::exception& error) {
      tools_->open_gate();
      return failed("MLX: " + std::string(error.what()));
    }
  }

  std::string path_of(CallId id) const override {
    return calls_.find(id) == nullptr ? std::string()
                                      : "bfloat16, the path that MLX chooses";
  }

 private:
  cuda::Stream ours() const {
    return reinterpret_cast<cuda::Stream>(cuda_stream_);
  }

  Result<void> answer(const std::vector<MlxCall*>& calls) {
    for (MlxCall* call : calls) {
      mx::array dense = mx::contiguous(attend(*call, call->query));
      dense.eval();
      mx::synchronize(stream_);
      copy_into(call->bound.output, reinterpret_cast<const std::byte*>(
                                        dense.data<mx::bfloat16_t>()));
    }
    return {};
  }

  Result<void> race(const std::vector<MlxCall*>& calls) {
    mx::array chain = calls.front()->query;
    for (MlxCall* call : calls) chain = attend(*call, chain);
    mx::synchronize(stream_);
    // As for candidates: caches hold nothing of what comes.
    cuda::Status queued = tools_->forget();
    const auto queue = [&](cuda::Status status) {
      if (queued == cuda::kSuccess) queued = status;
    };
    queue(driver_->stream_synchronize(ours()));
    queue(tools_->close_gate());
    queue(driver_->event_record(begin_, ours()));
    mx::async_eval({chain});
    queue(driver_->event_record(end_, ours()));
    const bool hidden = driver_->event_query(begin_) == cuda::kErrorNotReady;
    tools_->open_gate();
    queue(driver_->stream_synchronize(ours()));
    mx::synchronize(stream_);
    float ms = 0;
    queue(driver_->event_elapsed(&ms, begin_, end_));
    if (queued != cuda::kSuccess) {
      return failed("MLX's stream: " + driver_->error_text(queued));
    }
    if (hidden) device_ns_ = std::llround(static_cast<double>(ms) * 1e6);
    return {};
  }

  mx::Stream stream_;
  cudaStream_t cuda_stream_;
  std::shared_ptr<const cuda::DriverApi> driver_;
  std::unique_ptr<cuda::Tools> tools_;
  cuda::Event begin_ = nullptr;
  cuda::Event end_ = nullptr;
  std::optional<int64_t> device_ns_;
  std::map<Geometry, bool> warmed_;
  CallTable<MlxCall> calls_;
};

}  // namespace
}  // namespace evoke::baselines

EVOKE_BASELINE_MODULE void evoke_open_baseline(
    const std::string& /*name*/, int /*num_threads*/,
    evoke::Result<std::unique_ptr<evoke::Baseline>>* reply) {
  try {
    *reply = std::make_unique<evoke::baselines::MlxCudaBaseline>();
  } catch (const std::exception& error) {
    *reply = evoke::failed("MLX does not start on the GPU: " +
                           std::string(error.what()));
  }
}
