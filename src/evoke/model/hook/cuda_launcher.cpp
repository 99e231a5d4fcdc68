// Compiled kernels on the stream of MLX's CUDA back end. A module of its own
// (cuda_module.h): it names symbols that only that back end exports.
//
// Every call is a graph of its own and so becomes one node of MLX's graph,
// whose key tells clusters apart: a kernel with clusters that is added
// directly corrupts operations of MLX that come later.
#include <cuda_runtime.h>
#include <fmt/format.h>
#include <mlx/backend/cuda/device.h>
#include <mlx/mlx.h>
#include <mlx/primitives.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "evoke/core/tensor.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"
#include "evoke/devices/cuda/launch_graph.h"
#include "evoke/devices/cuda/program.h"
#include "evoke/model/hook/array_layout.h"
#include "evoke/model/hook/cuda_module.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

// The contract of docs/kernel-file.md for tensors of the cuda dialect.
constexpr uint64_t kBaseAlignment = 16;  // bytes
constexpr int64_t kStrideMultiple = 8;   // elements

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("[CudaLauncher::launch] " + what);
}

// Memory of the GPU in arrays of MLX, whose own allocator for it is hidden.
// What an array gives back is used again for a size of at least half its own:
// MLX lets go of an array only when all that was queued with it has run.
class Blocks : public std::enable_shared_from_this<Blocks> {
 public:
  explicit Blocks(std::shared_ptr<const cuda::DriverApi> driver)
      : driver_(std::move(driver)) {}
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  ~Blocks() {
    for (const auto& [bytes, pointer] : free_) driver_->memory_free(pointer);
  }

  mx::allocator::Buffer take(std::size_t bytes) {
    bytes = std::max<std::size_t>(bytes, 1);
    {
      const std::lock_guard lock(mutex_);
      const auto found = free_.lower_bound(bytes);
      if (found != free_.end() && found->first / 2 <= bytes) {
        const auto [capacity, pointer] = *found;
        free_.erase(found);
        return as_buffer(pointer, capacity);
      }
    }
    cuda::DevicePointer pointer = 0;
    const cuda::Status status = driver_->memory_allocate(&pointer, bytes);
    if (status != cuda::kSuccess) {
      fail(fmt::format("{} bytes of the GPU's memory: {}", bytes,
                       driver_->error_text(status)));
    }
    return as_buffer(pointer, bytes);
  }

  // For array::set_data; keeps this object.
  auto deleter() {
    return [self = shared_from_this()](mx::allocator::Buffer buffer) {
      self->give_back(buffer);
    };
  }

 private:
  static mx::allocator::Buffer as_buffer(cuda::DevicePointer pointer,
                                         std::size_t bytes) {
    return mx::allocator::Buffer(new mx::cu::CudaBuffer{
        reinterpret_cast<void*>(static_cast<uintptr_t>(pointer)), bytes, 0});
  }

  // On any thread, at any time, also while a stream is captured: calls the
  // driver only where MLX has moved the memory to where the host reads it.
  void give_back(mx::allocator::Buffer buffer) {
    const std::unique_ptr<mx::cu::CudaBuffer> block(
        static_cast<mx::cu::CudaBuffer*>(buffer.ptr()));
    const auto pointer = static_cast<cuda::DevicePointer>(
        reinterpret_cast<uintptr_t>(block->data));
    if (block->device == -1) {
      driver_->memory_free(pointer);
      return;
    }
    const std::lock_guard lock(mutex_);
    free_.emplace(block->size, pointer);
  }

  std::shared_ptr<const cuda::DriverApi> driver_;
  std::mutex mutex_;
  std::multimap<std::size_t, cuda::DevicePointer> free_;  // by bytes
};

cuda::DevicePointer pointer_of(const mx::array& tensor) {
  return static_cast<cuda::DevicePointer>(
      reinterpret_cast<uintptr_t>(mx::gpu_ptr<std::byte>(tensor)));
}

bool is_as_kernels_take(const mx::array& tensor) {
  return pointer_of(tensor) % kBaseAlignment == 0 &&
         has_strides_for_kernels(tensor, kStrideMultiple);
}

// Tensor maps count in elements.
DType type_of(const mx::array& tensor) {
  const std::pair<mx::Dtype, DType> types[] = {{mx::bfloat16, DType::bfloat16},
                                               {mx::float16, DType::float16},
                                               {mx::float32, DType::float32},
                                               {mx::int32, DType::int32},
                                               {mx::uint32, DType::uint32}};
  for (const auto& [theirs, ours] : types) {
    if (tensor.dtype() == theirs) return ours;
  }
  fail("a tensor of a type that kernels do not take");
}

// False: the layout is another one than `to` had.
bool bind_tensor(const mx::array& tensor, cuda::DeviceTensor& to) {
  to.data = pointer_of(tensor);
  TensorLayout& layout = to.layout;
  const DType type = type_of(tensor);
  std::vector<int64_t> strides = regular_strides(tensor);
  if (layout.type == type && layout.strides == strides &&
      std::equal(layout.shape.begin(), layout.shape.end(),
                 tensor.shape().begin(), tensor.shape().end())) {
    return true;
  }
  layout.type = type;
  layout.shape.assign(tensor.shape().begin(), tensor.shape().end());
  layout.strides = std::move(strides);
  return false;
}

// All of a plan that its calls share: those of one step, one for each layer.
struct PreparedPlan {
  ProgramId program = 0;
  std::shared_ptr<const LaunchPlan> plan;
  std::vector<mx::array> scratch;
  // The problem's, set anew by every call, then scratch.
  std::vector<cuda::DeviceTensor> tensors;
  std::size_t num_problem_tensors = 0;
  std::unique_ptr<cuda::LaunchGraph> graph;  // for tensors of these layouts
};

class CudaLauncher final : public KernelLauncher {
 public:
  CudaLauncher(std::shared_ptr<const cuda::DriverApi> driver,
               const cuda::Gpu& gpu)
      : driver_(std::move(driver)),
        gpu_(gpu),
        info_(gpu.info()),
        stream_(mx::default_stream(mx::Device::gpu)),
        blocks_(std::make_shared<Blocks>(driver_)) {
    encoder().device().make_current();
  }

  // Kernels that are queued read programs and scratch.
  ~CudaLauncher() override {
    try {
      mx::synchronize(stream_);
    } catch (const std::exception&) {
      // It has been reported where it was first seen.
    }
  }

  const DeviceInfo& device() const override { return info_; }
  mx::Stream stream() const override { return stream_; }

  Result<ProgramId> load(std::span<const std::byte> artifact) override {
    encoder().device().make_current();
    auto program = cuda::Program::load(*driver_, gpu_, artifact);
    if (!program) return error_of(program);
    programs_.push_back(std::move(*program));
    return static_cast<ProgramId>(programs_.size() - 1);
  }

  int launch(ProgramId id, std::shared_ptr<const LaunchPlan> plan,
             const std::vector<mx::array>& inputs, mx::array& output,
             std::function<void()> finished) override {
    mx::cu::CommandEncoder& queue = encoder();
    queue.device().make_current();
    PreparedPlan& call = prepared(id, plan, inputs.size() + 1);
    int num_copies = 0;
    std::vector<mx::array> used;
    used.reserve(inputs.size());
    for (const mx::array& input : inputs) {
      if (is_as_kernels_take(input)) {
        used.push_back(input);
        continue;
      }
      used.push_back(dense_copy(input, queue));
      ++num_copies;
    }
    set_output_memory(output,
                      {blocks_->take(output.nbytes()), blocks_->deleter()});
    queue.add_temporary(output);
    bool same_layouts = call.graph != nullptr;
    for (std::size_t i = 0; i < used.size(); ++i) {
      queue.set_input_array(used[i]);
      same_layouts &= bind_tensor(used[i], call.tensors[i]);
    }
    queue.set_output_array(output);
    same_layouts &= bind_tensor(output, call.tensors[used.size()]);
    for (const mx::array& memory : call.scratch) {
      // A call that follows waits for this one, whatever else it reads.
      queue.set_output_array(memory);
      queue.add_temporary(memory);
    }
    if (!same_layouts) {
      call.graph = make_graph(call);
    } else if (const auto status = call.graph->set_tensors(call.tensors);
               status != cuda::kSuccess) {
      fail(driver_->error_text(status));
    }
    queue.add_graph_node(reinterpret_cast<cudaGraph_t>(call.graph->graph()),
                         call.graph->key(), /*is_updatable=*/true);
    queue.add_completed_handler(std::move(finished));
    return num_copies;
  }

  void check() override {
    mx::synchronize(stream_);
    for (const auto& [key, memory] : scratch_) {
      const auto& [program, name, self_reset] = key;
      if (!self_reset) continue;
      std::vector<std::byte> bytes(size_of(memory));
      auto status = driver_->copy_to_host(bytes.data(), pointer_of(memory),
                                          bytes.size(), ours());
      if (status == cuda::kSuccess) {
        status = driver_->stream_synchronize(ours());
      }
      if (status != cuda::kSuccess) fail(driver_->error_text(status));
      if (std::any_of(bytes.begin(), bytes.end(),
                      [](std::byte each) { return each != std::byte{0}; })) {
        fail(fmt::format("scratch '{}' is self_reset and was left non-zero",
                         name));
      }
    }
  }

 private:
  // By program, name and self_reset, alive from call to call: calls follow
  // one another, so they share it.
  using ScratchKey = std::tuple<ProgramId, std::string, bool>;

  mx::cu::CommandEncoder& encoder() const {
    return mx::cu::get_command_encoder(stream_);
  }
  cuda::Stream ours() const {
    const cudaStream_t stream = encoder().stream();
    return reinterpret_cast<cuda::Stream>(stream);
  }
  static std::size_t size_of(const mx::array& memory) {
    return static_cast<const mx::cu::CudaBuffer*>(memory.buffer().ptr())->size;
  }

  PreparedPlan& prepared(ProgramId id,
                         const std::shared_ptr<const LaunchPlan>& plan,
                         std::size_t num_problem_tensors) {
    for (PreparedPlan& each : prepared_) {
      if (each.plan == plan && each.program == id) return each;
    }
    PreparedPlan fresh;
    fresh.program = id;
    fresh.plan = plan;
    fresh.num_problem_tensors = num_problem_tensors;
    fresh.tensors.resize(num_problem_tensors);
    for (const ResolvedScratch& scratch : fresh.plan->scratch) {
      fresh.scratch.push_back(scratch_of(id, scratch));
      fresh.tensors.push_back(scratch_tensor(fresh.scratch.back(), scratch));
    }
    PreparedPlan& slot = prepared_[next_prepared_];
    next_prepared_ = (next_prepared_ + 1) % prepared_.size();
    return slot = std::move(fresh);
  }

  static mx::array dense_copy(const mx::array& input,
                              mx::cu::CommandEncoder& queue) {
    mx::array copy = mx::contiguous(input, false, mx::Device::gpu);
    std::vector<mx::array> outputs = {copy};
    copy.primitive().eval_gpu({input}, outputs);
    queue.add_temporary(outputs[0]);
    if (!is_as_kernels_take(outputs[0])) {
      fail("an input lies where kernels cannot read it");
    }
    return outputs[0];
  }

  // The first fill runs before anything that MLX has yet to send, and after
  // all that it has sent: nothing that is queued uses a new block.
  const mx::array& scratch_of(ProgramId id, const ResolvedScratch& scratch) {
    const ScratchKey key{id, scratch.name, scratch.self_reset};
    const auto bytes = static_cast<std::size_t>(scratch.bytes);
    const auto found = scratch_.find(key);
    if (found != scratch_.end() && size_of(found->second) >= bytes) {
      return found->second;
    }
    prepared_ = {};  // they may name the smaller one
    const std::size_t capacity = bytes + bytes / 2 + 16;
    mx::array memory(mx::Shape{1}, mx::uint8, nullptr, {});
    memory.set_data(
        mx::allocator::Data(blocks_->take(capacity), blocks_->deleter()));
    // All ones is NaN in every floating-point type.
    const unsigned char fill = scratch.self_reset ? 0 : 0xff;
    const auto status =
        driver_->fill_bytes(pointer_of(memory), fill, size_of(memory), ours());
    if (status != cuda::kSuccess) fail(driver_->error_text(status));
    return scratch_.insert_or_assign(key, std::move(memory)).first->second;
  }

  static cuda::DeviceTensor scratch_tensor(const mx::array& memory,
                                           const ResolvedScratch& scratch) {
    cuda::DeviceTensor tensor;
    tensor.data = pointer_of(memory);
    tensor.layout.type = scratch.type;
    tensor.layout.shape = scratch.shape;
    tensor.layout.strides.assign(scratch.shape.size(), 1);
    for (std::size_t i = scratch.shape.size(); i-- > 1;) {
      tensor.layout.strides[i - 1] =
          tensor.layout.strides[i] * scratch.shape[i];
    }
    return tensor;
  }

  std::unique_ptr<cuda::LaunchGraph> make_graph(const PreparedPlan& call) {
    std::vector<cuda::LaunchGraph::Fill> fills;
    for (std::size_t i = 0; i < call.scratch.size(); ++i) {
      const ResolvedScratch& scratch = call.plan->scratch[i];
      if (scratch.self_reset || scratch.init != ScratchInit::zero) continue;
      fills.push_back({pointer_of(call.scratch[i]),
                       static_cast<std::size_t>(scratch.bytes)});
    }
    std::vector<cuda::BoundLaunch> launches;
    for (std::size_t i = 0; i < call.plan->launches.size(); ++i) {
      auto launch =
          programs_.at(call.program)
              ->bind(*call.plan, i, call.tensors, call.num_problem_tensors);
      if (!launch) fail(launch.error().message);
      launches.push_back(std::move(*launch));
    }
    auto graph = cuda::LaunchGraph::make(*driver_, fills, std::move(launches));
    if (!graph) fail(graph.error().message);
    return std::move(*graph);
  }

  std::shared_ptr<const cuda::DriverApi> driver_;
  cuda::Gpu gpu_;
  DeviceInfo info_;
  mx::Stream stream_;
  std::shared_ptr<Blocks> blocks_;
  std::vector<std::unique_ptr<cuda::Program>> programs_;
  std::map<ScratchKey, mx::array> scratch_;
  // A step asks for one plan once per layer; a prompt for another.
  std::array<PreparedPlan, 2> prepared_;
  std::size_t next_prepared_ = 0;
};

}  // namespace
}  // namespace evoke::model

extern "C" __attribute__((visibility("default"))) void evoke_make_cuda_launcher(
    evoke::Result<std::unique_ptr<evoke::model::KernelLauncher>>* reply) {
  try {
    auto driver = evoke::cuda::load_driver();
    if (!driver) {
      *reply = evoke::error_of(driver);
      return;
    }
    const auto gpu = evoke::cuda::find_gpu(**driver, "");
    if (!gpu) {
      *reply = evoke::error_of(gpu);
      return;
    }
    *reply =
        std::make_unique<evoke::model::CudaLauncher>(std::move(*driver), *gpu);
  } catch (const std::exception& error) {
    *reply = evoke::failed("MLX does not start on the GPU: " +
                           std::string(error.what()));
  }
}
