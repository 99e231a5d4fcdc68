#include "evoke/devices/cpu/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "evoke/devices/cpu/assemble.h"
#include "evoke/devices/cpu/object_check.h"

namespace evoke::cpu {
namespace {

// What MLX gives to arrays on the CPU: 8 beyond a multiple of 16.
constexpr uintptr_t kTensorAlignment = 8;
// Scratch with init = "zero" is cleared in parts of this size.
constexpr uint64_t kZeroPartBytes = 64 * 1024;

struct ZeroFill {
  std::byte* data = nullptr;
  uint64_t bytes = 0;
};

struct BoundLaunch {
  EvokeRunFunction function = nullptr;
  std::vector<EvokeTensor> tensors;
  EvokeArguments arguments{};
};

void run_zero_fill(const void* context, uint64_t begin, uint64_t end,
                   std::byte*) {
  const auto& fill = *static_cast<const ZeroFill*>(context);
  const uint64_t first = begin * kZeroPartBytes;
  const uint64_t last = std::min(end * kZeroPartBytes, fill.bytes);
  std::memset(fill.data + first, 0, last - first);
}

void run_launch(const void* context, uint64_t begin, uint64_t end,
                std::byte* memory) {
  const auto& launch = *static_cast<const BoundLaunch*>(context);
  launch.function(&launch.arguments, begin, end,
                  reinterpret_cast<char*>(memory));
}

Result<EvokeTensor> flatten(const BoundTensor& tensor) {
  const TensorLayout& layout = tensor.layout;
  const std::size_t rank = layout.shape.size();
  if (rank > kEvokeMaxRank || layout.strides.size() != rank) {
    return failed(
        fmt::format("tensor {}: {} dimensions and {} strides; at "
                    "most {}, and as many of each",
                    layout.name, rank, layout.strides.size(), kEvokeMaxRank));
  }
  if (reinterpret_cast<uintptr_t>(tensor.data) % kTensorAlignment != 0) {
    return failed(fmt::format("tensor {}: its base is not aligned to {} bytes",
                              layout.name, kTensorAlignment));
  }
  EvokeTensor flat{};
  flat.data = tensor.data;
  for (std::size_t i = 0; i < kEvokeMaxRank; ++i) {
    flat.shape[i] = i < rank ? layout.shape[i] : 1;
    flat.strides[i] = i < rank ? layout.strides[i] : 0;
  }
  return flat;
}

}  // namespace

// One call with everything its launches point to.
struct CpuSession::Call {
  ProgramId program = 0;
  std::vector<EvokeTensor> tensors;
  std::size_t num_problem_tensors = 0;
  std::vector<int64_t> sizes;
  std::vector<float> scalars;
  std::vector<ZeroFill> fills;
  std::vector<BoundLaunch> launches;
  std::vector<PoolTask> tasks;
  std::size_t memory_bytes = 0;
};

CpuSession::CpuSession(const ThreadPoolOptions& options)
    : memory_bytes_(options.memory_bytes), pool_(options) {}

CpuSession::~CpuSession() = default;

Result<ProgramId> CpuSession::load(std::span<const std::byte> artifact) {
  if (const auto checked = check_object(artifact); !checked) {
    return failed("the compiled kernel is refused: " + checked.error().message);
  }
  auto object = SharedObject::load(artifact);
  if (!object) return error_of(object);
  const ProgramId id = next_program_++;
  programs_[id] = std::move(*object);
  return id;
}

void CpuSession::unload(ProgramId program) { programs_.erase(program); }

Result<CallId> CpuSession::prepare(ProgramId program, const LaunchPlan& plan,
                                   std::vector<BoundTensor> tensors) {
  const auto found = programs_.find(program);
  if (found == programs_.end()) {
    return absent(fmt::format("no program {} is loaded", program));
  }
  if (tensors.size() < plan.scratch.size()) {
    return failed("fewer tensors than the plan has scratch");
  }
  auto call = std::make_unique<Call>();
  call->program = program;
  call->num_problem_tensors = tensors.size() - plan.scratch.size();
  for (const BoundTensor& tensor : tensors) {
    auto flat = flatten(tensor);
    if (!flat) return error_of(flat);
    call->tensors.push_back(*flat);
  }
  for (const auto& [name, value] : plan.sizes) call->sizes.push_back(value);
  for (const auto& [name, value] : plan.scalars) call->scalars.push_back(value);
  for (std::size_t i = 0; i < plan.scratch.size(); ++i) {
    const ResolvedScratch& scratch = plan.scratch[i];
    std::byte* const data = tensors[call->num_problem_tensors + i].data;
    const auto bytes = static_cast<uint64_t>(scratch.bytes);
    if (scratch.self_reset) {
      std::memset(data, 0, bytes);
    } else if (scratch.init == ScratchInit::zero) {
      call->fills.push_back({data, bytes});
    }
  }
  if (const auto bound = bind(*call, *found->second, plan); !bound) {
    return error_of(bound);
  }
  const CallId id = next_call_++;
  calls_[id] = std::move(call);
  return id;
}

Result<void> CpuSession::bind(Call& call, const SharedObject& object,
                              const LaunchPlan& plan) const {
  for (const ResolvedLaunch& launch : plan.launches) {
    BoundLaunch bound;
    bound.function = reinterpret_cast<EvokeRunFunction>(
        object.find(entry_point(launch.kernel)));
    if (bound.function == nullptr) {
      return failed(
          fmt::format("the program has no kernel '{}'; was it "
                      "compiled for this variant?",
                      launch.kernel));
    }
    for (const auto* references : {&launch.reads, &launch.writes}) {
      for (const TensorRef& reference : *references) {
        const std::size_t index =
            reference.index +
            (reference.scratch ? call.num_problem_tensors : 0);
        if (index >= call.tensors.size()) {
          return failed(fmt::format("kernel '{}' names tensor {} of {}",
                                    launch.kernel, index, call.tensors.size()));
        }
        bound.tensors.push_back(call.tensors[index]);
      }
    }
    for (std::size_t d = 0; d < 3; ++d) {
      bound.arguments.threadgroups[d] =
          static_cast<uint32_t>(launch.threadgroups[d]);
    }
    const auto memory = static_cast<std::size_t>(launch.dynamic_memory_bytes);
    if (memory > memory_bytes_) {
      return failed(
          fmt::format("kernel '{}' wants {} bytes of threadgroup "
                      "memory; there are {}",
                      launch.kernel, memory, memory_bytes_));
    }
    call.memory_bytes = std::max(call.memory_bytes, memory);
    call.launches.push_back(std::move(bound));
  }
  // Only now do addresses stay as they are.
  for (const ZeroFill& fill : call.fills) {
    call.tasks.push_back({run_zero_fill, &fill,
                          (fill.bytes + kZeroPartBytes - 1) / kZeroPartBytes});
  }
  for (std::size_t i = 0; i < call.launches.size(); ++i) {
    BoundLaunch& bound = call.launches[i];
    bound.arguments.tensors = bound.tensors.data();
    bound.arguments.sizes = call.sizes.data();
    bound.arguments.scalars = call.scalars.data();
    const auto& grid = plan.launches[i].threadgroups;
    const auto count = static_cast<uint64_t>(
        std::accumulate(grid.begin(), grid.end(), int64_t{1},
                        [](int64_t a, int64_t b) { return a * b; }));
    call.tasks.push_back({run_launch, &bound, count});
  }
  return {};
}

void CpuSession::release(CallId call) { calls_.erase(call); }

Result<void> CpuSession::run(std::span<const CallId> calls) {
  tasks_.clear();
  std::size_t memory_bytes = 0;
  for (const CallId id : calls) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
      return absent(fmt::format("no call {} is prepared", id));
    }
    const Call& call = *found->second;
    tasks_.insert(tasks_.end(), call.tasks.begin(), call.tasks.end());
    memory_bytes = std::max(memory_bytes, call.memory_bytes);
  }
  pool_.run(tasks_, memory_bytes);
  return {};
}

}  // namespace evoke::cpu
