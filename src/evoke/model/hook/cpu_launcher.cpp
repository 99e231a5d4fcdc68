#include <fmt/format.h>
#include <mlx/allocator.h>
#include <mlx/backend/cpu/encoder.h>
#include <mlx/scheduler.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <future>
#include <map>
#include <stdexcept>
#include <utility>

#include "evoke/devices/registry.h"
#include "evoke/model/hook/array_layout.h"
#include "evoke/model/hook/kernel_launcher.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

// The contract of docs/kernel-file.md for tensors of the cpu dialect.
constexpr uintptr_t kBaseAlignment = 8;  // bytes
constexpr int64_t kStrideMultiple = 8;   // elements

// Everything here is touched on the stream's thread alone: the session's
// threads belong to it.
struct Worker {
  Device device;
  // By program and name, alive from call to call: calls of a stream run one
  // after another, so they share it.
  std::map<std::pair<ProgramId, std::string>, std::vector<std::byte>> scratch;
};

bool is_as_kernels_take(const mx::array& tensor) {
  const auto base = reinterpret_cast<uintptr_t>(tensor.data<std::byte>());
  return base % kBaseAlignment == 0 &&
         has_strides_for_kernels(tensor, kStrideMultiple);
}

BoundTensor bound(std::byte* data, const mx::array& tensor,
                  std::vector<int64_t> strides) {
  BoundTensor result;
  result.data = data;
  result.layout.shape.assign(tensor.shape().begin(), tensor.shape().end());
  result.layout.strides = std::move(strides);
  return result;
}

// Rows of the last dimension from one layout to the dense one.
struct DenseCopy {
  const std::byte* from = nullptr;
  std::byte* to = nullptr;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  std::size_t item_bytes = 0;

  void run() const {
    std::vector<int64_t> index(shape.size(), 0);
    std::byte* out = to;
    for (;;) {
      int64_t offset = 0;
      for (std::size_t d = 0; d < index.size(); ++d) {
        offset += index[d] * strides[d];
      }
      std::memcpy(out, from + offset * static_cast<int64_t>(item_bytes),
                  item_bytes);
      out += item_bytes;
      std::size_t d = index.size();
      while (d > 0 && ++index[d - 1] == shape[d - 1]) index[--d] = 0;
      if (d == 0) return;
    }
  }
};

// One call, as the stream's thread needs it.
struct QueuedCall {
  ProgramId program = 0;
  std::shared_ptr<const LaunchPlan> plan;
  std::vector<BoundTensor> tensors;
  std::vector<DenseCopy> copies;
  std::function<void()> finished;
};

void fail(const std::string& what) {
  throw std::runtime_error("[CpuLauncher::launch] " + what);
}

std::byte* scratch_of(Worker& worker, ProgramId program,
                      const ResolvedScratch& scratch) {
  std::vector<std::byte>& memory = worker.scratch[{program, scratch.name}];
  const auto bytes = static_cast<std::size_t>(scratch.bytes);
  constexpr std::size_t kAlignment = 64;
  if (memory.size() < bytes + kAlignment) {
    // All ones is NaN in every floating-point type.
    memory.assign(bytes + bytes / 2 + kAlignment, std::byte{0xff});
  }
  auto* const base = memory.data();
  const auto past = reinterpret_cast<uintptr_t>(base) % kAlignment;
  return base + (past == 0 ? 0 : kAlignment - past);
}

void run_call(Worker& worker, const QueuedCall& call) {
  for (const DenseCopy& copy : call.copies) copy.run();
  std::vector<BoundTensor> tensors = call.tensors;
  for (const ResolvedScratch& scratch : call.plan->scratch) {
    BoundTensor tensor;
    tensor.data = scratch_of(worker, call.program, scratch);
    tensor.layout.shape = scratch.shape;
    tensor.layout.strides.assign(scratch.shape.size(), 1);
    for (std::size_t i = scratch.shape.size(); i-- > 1;) {
      tensor.layout.strides[i - 1] =
          tensor.layout.strides[i] * scratch.shape[i];
    }
    tensors.push_back(std::move(tensor));
  }
  DeviceSession& session = *worker.device.session;
  const std::size_t first_scratch = call.tensors.size();
  const auto prepared = session.prepare(call.program, *call.plan, tensors);
  if (!prepared) fail(prepared.error().message);
  const auto ran = session.run(std::array{*prepared});
  session.release(*prepared);
  if (!ran) fail(ran.error().message);
  for (std::size_t i = 0; i < call.plan->scratch.size(); ++i) {
    const ResolvedScratch& scratch = call.plan->scratch[i];
    if (!scratch.self_reset) continue;
    const std::byte* data = tensors[first_scratch + i].data;
    if (std::any_of(data, data + scratch.bytes,
                    [](std::byte each) { return each != std::byte{0}; })) {
      fail(fmt::format("scratch '{}' is self_reset and was left non-zero",
                       scratch.name));
    }
  }
  call.finished();
}

class CpuLauncher final : public KernelLauncher {
 public:
  explicit CpuLauncher(mx::Stream stream)
      : stream_(stream), worker_(std::make_shared<Worker>()) {}

  ~CpuLauncher() override {
    // Its threads end where they began.
    on_stream<bool>([worker = std::move(worker_)]() mutable {
      worker.reset();
      return true;
    });
  }

  Result<void> open(int num_threads) {
    return on_stream<Result<void>>([this, num_threads]() -> Result<void> {
      DeviceOptions options;
      options.num_threads = num_threads;
      options.with_session = true;
      auto device = open_device("cpu", options);
      if (!device) return error_of(device);
      worker_->device = std::move(*device);
      return {};
    });
  }

  const DeviceInfo& device() const override { return worker_->device.info; }
  mx::Stream stream() const override { return stream_; }

  Result<ProgramId> load(std::span<const std::byte> artifact) override {
    return on_stream<Result<ProgramId>>(
        [&] { return worker_->device.session->load(artifact); });
  }

  int launch(ProgramId program, std::shared_ptr<const LaunchPlan> plan,
             const std::vector<mx::array>& inputs, mx::array& output,
             std::function<void()> finished) override {
    mx::cpu::CommandEncoder& encoder = mx::cpu::get_command_encoder(stream_);
    QueuedCall call{program, std::move(plan), {}, {}, std::move(finished)};
    for (const mx::array& input : inputs) {
      std::vector<int64_t> strides = regular_strides(input);
      if (is_as_kernels_take(input)) {
        auto* data = const_cast<std::byte*>(input.data<std::byte>());
        call.tensors.push_back(bound(data, input, std::move(strides)));
        continue;
      }
      mx::array dense(input.shape(), input.dtype(), nullptr, {});
      dense.set_data(mx::allocator::malloc(dense.nbytes()));
      DenseCopy copy{input.data<std::byte>(),
                     dense.data<std::byte>(),
                     {input.shape().begin(), input.shape().end()},
                     {input.strides().begin(), input.strides().end()},
                     input.itemsize()};
      call.tensors.push_back(bound(copy.to, dense, regular_strides(dense)));
      call.copies.push_back(std::move(copy));
      encoder.add_temporary(dense);
    }
    set_output_memory(output, mx::allocator::malloc(output.nbytes()));
    call.tensors.push_back(
        bound(output.data<std::byte>(), output, regular_strides(output)));
    const int num_copies = static_cast<int>(call.copies.size());
    encoder.dispatch([worker = worker_, call = std::move(call)] {
      run_call(*worker, call);
    });
    return num_copies;
  }

 private:
  template <typename T, typename Function>
  T on_stream(Function function) const {
    auto task = std::make_shared<std::packaged_task<T()>>(std::move(function));
    auto done = task->get_future();
    mx::scheduler::enqueue(stream_, [task] { (*task)(); });
    return done.get();
  }

  mx::Stream stream_;
  std::shared_ptr<Worker> worker_;
};

}  // namespace

Result<std::unique_ptr<KernelLauncher>> make_cpu_launcher(int num_threads) {
  auto launcher =
      std::make_unique<CpuLauncher>(mx::default_stream(mx::Device::cpu));
  if (auto opened = launcher->open(num_threads); !opened) {
    return error_of(opened);
  }
  return launcher;
}

}  // namespace evoke::model
