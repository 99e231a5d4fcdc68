#include "evoke/devices/metal/mlx_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "evoke/devices/metal/artifact.h"

namespace evoke::metal {
namespace {

std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * shape[i];
  }
  return strides;
}

MlxKernel chain_kernel(const MlxArray& query) {
  MlxKernel kernel;
  kernel.name = "evoke_chain_link";
  MlxArray given = query;
  given.name = "given";
  MlxArray previous = query;
  previous.name = "previous";
  MlxArray next = query;
  next.name = "next";
  kernel.inputs = {given, previous};
  kernel.outputs = {next};
  kernel.source =
      "const uint i = thread_position_in_grid.x;\n"
      "next[i] = given[elem_to_loc(i, given_shape, given_strides, "
      "given_ndim)];\n";
  return kernel;
}

}  // namespace

Result<ArrayId> chain_link(MlxBackend& backend, const TensorLayout& query,
                           ArrayId given, ArrayId previous) {
  const MlxKernel kernel =
      chain_kernel({"query", element_type_of(query.type), query.shape});
  MlxLaunch launch;
  launch.kernel = &kernel;
  launch.inputs = {given, previous == 0 ? given : previous};
  launch.output_shapes = {query.shape};
  launch.grid = {query.num_elements(), 1, 1};
  launch.threadgroup = {256, 1, 1};
  auto linked = backend.launch(launch);
  if (!linked) return error_of(linked);
  return linked->front();
}

struct MlxSession::Call {
  std::shared_ptr<const Assembly> assembly;
  LaunchPlan plan;
  std::vector<BoundTensor> tensors;
  std::vector<bool> written;               // by some launch of the plan
  std::map<std::string, ArrayId> inputs;   // tensors, by name
  std::map<std::string, ArrayId> small;    // sizes, scalars, layouts
  std::map<std::string, ArrayId> results;  // of the latest run, by name
  std::vector<ArrayId> links;

  const BoundTensor* find(const std::string& name) const {
    for (const BoundTensor& tensor : tensors) {
      if (tensor.layout.name == name) return &tensor;
    }
    return nullptr;
  }
  // Of a launch's argument, in `tensors`.
  std::size_t index_of(const TensorRef& ref) const {
    const std::size_t num_scratch = plan.scratch.size();
    return ref.scratch ? tensors.size() - num_scratch + ref.index : ref.index;
  }
};

MlxSession::MlxSession(std::unique_ptr<MlxBackend> backend)
    : backend_(std::move(backend)) {}

MlxSession::~MlxSession() {
  while (!calls_.empty()) release(calls_.begin()->first);
}

Result<ProgramId> MlxSession::load(std::span<const std::byte> artifact) {
  auto assembly = from_artifact(artifact);
  if (!assembly) return error_of(assembly);
  programs_[next_] = std::make_shared<const Assembly>(std::move(*assembly));
  return next_++;
}

void MlxSession::unload(ProgramId program) { programs_.erase(program); }

Result<CallId> MlxSession::prepare(ProgramId program, const LaunchPlan& plan,
                                   std::vector<BoundTensor> tensors) {
  const auto found = programs_.find(program);
  if (found == programs_.end()) {
    return failed(fmt::format("no program {}", program));
  }
  if (tensors.size() < plan.scratch.size()) {
    return failed("fewer tensors than the plan has scratch");
  }
  for (const ResolvedScratch& scratch : plan.scratch) {
    const MlxArray array{scratch.name, ElementType::float32, scratch.shape};
    if (!array.is_constant()) continue;
    return failed(fmt::format(
        "scratch '{}' has {} elements at this shape; MLX would pass fewer than "
        "{} in another address space",
        scratch.name, array.num_elements(), MlxArray::kMinDeviceElements));
  }
  auto call = std::make_unique<Call>();
  call->assembly = found->second;
  call->plan = plan;
  call->tensors = std::move(tensors);
  call->written.assign(call->tensors.size(), false);
  for (const ResolvedLaunch& launch : plan.launches) {
    if (call->assembly->find(launch.kernel) == nullptr) {
      return failed("the program has no kernel '" + launch.kernel + "'");
    }
    for (const TensorRef& ref : launch.writes) {
      const std::size_t index = call->index_of(ref);
      if (index >= call->tensors.size()) return failed("no such tensor");
      call->written[index] = true;
    }
  }
  if (auto brought = bring_inputs(*call); !brought) {
    drop_inputs(*call);
    return error_of(brought);
  }
  calls_[next_] = std::move(call);
  return next_++;
}

void MlxSession::release(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  drop_results(*found->second);
  drop_inputs(*found->second);
  calls_.erase(found);
}

Result<void> MlxSession::bring_inputs(Call& call) {
  for (const auto& [name, id] : call.inputs) backend_->release(id);
  call.inputs.clear();
  const std::size_t num_problem =
      call.tensors.size() - call.plan.scratch.size();
  for (std::size_t i = 0; i < call.tensors.size(); ++i) {
    if (call.written[i]) continue;
    const TensorLayout& layout = call.tensors[i].layout;
    auto array =
        i < num_problem
            ? backend_->upload(call.tensors[i])
            : backend_->zeros(layout.shape, element_type_of(layout.type));
    if (!array) return error_of(array);
    call.inputs[layout.name] = *array;
  }
  return {};
}

Result<void> MlxSession::stage(std::span<const CallId> calls, bool inputs) {
  for (const CallId id : calls) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return failed(fmt::format("no call {}", id));
    drop_results(*found->second);
    if (!inputs) continue;
    if (auto brought = bring_inputs(*found->second); !brought) return brought;
  }
  return {};
}

Result<ArrayId> MlxSession::link(Call& call, ArrayId previous) {
  const TensorLayout& query = call.tensors.front().layout;
  auto linked =
      chain_link(*backend_, query, call.inputs.at(query.name), previous);
  if (linked) call.links.push_back(*linked);
  return linked;
}

// A size, a scalar or a layout: made once for each call.
Result<ArrayId> MlxSession::small_input(Call& call,
                                        const AssembledKernel& kernel,
                                        std::size_t index) {
  using Role = KernelInput::Role;
  const KernelInput& input = kernel.inputs[index];
  const std::string& key = kernel.mlx.inputs[index].name;
  if (const auto known = call.small.find(key); known != call.small.end()) {
    return known->second;
  }
  Result<ArrayId> made = failed("'" + input.name + "' is not known");
  if (input.role == Role::size) {
    if (const auto size = call.plan.sizes.find(input.name);
        size != call.plan.sizes.end()) {
      made = backend_->integers({&size->second, 1}, ElementType::int32, true);
    }
  } else if (input.role == Role::scalar) {
    if (const auto value = call.plan.scalars.find(input.name);
        value != call.plan.scalars.end()) {
      made = backend_->scalar(value->second);
    }
  } else if (const BoundTensor* tensor = call.find(input.name)) {
    // MLX's outputs are contiguous, whatever the host's tensor is.
    const auto& shape = tensor->layout.shape;
    made = input.role == Role::shape_of
               ? backend_->integers(shape, ElementType::int32, false)
               : backend_->integers(contiguous_strides(shape),
                                    ElementType::int64, false);
  }
  if (made) call.small[key] = *made;
  return made;
}

Result<ArrayId> MlxSession::input_of(
    Call& call, const AssembledKernel& kernel, std::size_t index,
    const std::map<std::string, ArrayId>& arrays) {
  const KernelInput& input = kernel.inputs[index];
  if (input.role != KernelInput::Role::tensor) {
    return small_input(call, kernel, index);
  }
  const auto found = arrays.find(input.name);
  if (found == arrays.end()) {
    return failed("'" + input.name + "' is read before it is written");
  }
  return found->second;
}

Result<void> MlxSession::build(Call& call, ArrayId query) {
  std::map<std::string, ArrayId> arrays = call.inputs;
  arrays[call.tensors.front().layout.name] = query;
  for (const ResolvedLaunch& resolved : call.plan.launches) {
    const AssembledKernel& kernel = *call.assembly->find(resolved.kernel);
    MlxLaunch launch;
    launch.kernel = &kernel.mlx;
    for (std::size_t i = 0; i < kernel.inputs.size(); ++i) {
      auto input = input_of(call, kernel, i, arrays);
      if (!input) return error_of(input);
      launch.inputs.push_back(*input);
    }
    for (const std::string& name : kernel.outputs) {
      const BoundTensor* tensor = call.find(name);
      if (tensor == nullptr) return failed("no tensor '" + name + "'");
      launch.output_shapes.push_back(tensor->layout.shape);
    }
    for (std::size_t axis = 0; axis < 3; ++axis) {
      launch.threadgroup[axis] = resolved.threads[axis];
      // A plan counts threadgroups, MLX threads.
      launch.grid[axis] = resolved.threadgroups[axis] * resolved.threads[axis];
    }
    if (kernel.zero_outputs) launch.init_value = 0.0f;
    auto outputs = backend_->launch(launch);
    if (!outputs) return error_of(outputs);
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      arrays[kernel.outputs[i]] = (*outputs)[i];
      call.results[kernel.outputs[i]] = (*outputs)[i];
    }
  }
  return {};
}

Result<void> MlxSession::run(std::span<const CallId> ids) {
  std::vector<ArrayId> ends;
  ArrayId previous = 0;
  for (const CallId id : ids) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return failed(fmt::format("no call {}", id));
    Call& call = *found->second;
    drop_results(call);
    const auto query = link(call, previous);
    if (!query) return error_of(query);
    if (auto built = build(call, *query); !built) return built;
    for (std::size_t i = 0; i < call.tensors.size(); ++i) {
      const auto result = call.results.find(call.tensors[i].layout.name);
      if (result == call.results.end()) continue;
      previous = result->second;
      ends.push_back(result->second);
      break;  // the problem's outputs come before scratch
    }
  }
  return backend_->evaluate(ends);
}

Result<std::string> MlxSession::collect(std::span<const CallId> ids) {
  for (const CallId id : ids) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return failed(fmt::format("no call {}", id));
    const Call& call = *found->second;
    const std::size_t num_problem =
        call.tensors.size() - call.plan.scratch.size();
    for (std::size_t i = 0; i < num_problem; ++i) {
      const auto result = call.results.find(call.tensors[i].layout.name);
      if (result == call.results.end()) continue;
      const auto down = backend_->download(result->second, call.tensors[i]);
      if (!down) return error_of(down);
    }
  }
  return std::string();
}

void MlxSession::drop_results(Call& call) {
  for (const auto& [name, id] : call.results) backend_->release(id);
  for (const ArrayId id : call.links) backend_->release(id);
  call.results.clear();
  call.links.clear();
}

void MlxSession::drop_inputs(Call& call) {
  for (const auto& [name, id] : call.inputs) backend_->release(id);
  for (const auto& [name, id] : call.small) backend_->release(id);
  call.inputs.clear();
  call.small.clear();
}

}  // namespace evoke::metal
