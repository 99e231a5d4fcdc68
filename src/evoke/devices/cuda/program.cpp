#include "evoke/devices/cuda/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "evoke/devices/cuda/arguments.h"
#include "evoke/devices/cuda/assemble.h"
#include "evoke/devices/cuda/cubin.h"
#include "evoke/devices/cuda/tensor_map.h"

namespace evoke::cuda {
namespace {

// The bytes of all parameters, as a C++ compiler would lay them out.
class ParameterPack {
 public:
  void add(const void* value, std::size_t bytes, std::size_t alignment) {
    const std::size_t at =
        (bytes_.size() + alignment - 1) / alignment * alignment;
    bytes_.resize(at + bytes);
    std::memcpy(bytes_.data() + at, value, bytes);
    offsets_.push_back(at);
  }
  template <typename T>
  void add(const T& value) {
    add(&value, sizeof(T), alignof(T));
  }
  template <typename T>
  void add_extents(const std::vector<int64_t>& values, T otherwise) {
    std::vector<T> extents;
    for (const int64_t each : values) extents.push_back(static_cast<T>(each));
    if (extents.empty()) extents.push_back(otherwise);
    add(extents.data(), extents.size() * sizeof(T), alignof(T));
  }

  std::size_t size() const { return offsets_.size(); }
  std::size_t bytes() const { return bytes_.size(); }
  // Into memory that stays.
  void store(std::vector<TensorMapWords>& storage,
             std::vector<void*>& pointers) const {
    storage.resize(bytes_.size() / sizeof(TensorMapWords) + 1);
    auto* const base = reinterpret_cast<std::byte*>(storage.data());
    std::memcpy(base, bytes_.data(), bytes_.size());
    for (const std::size_t offset : offsets_) {
      pointers.push_back(base + offset);
    }
  }

 private:
  std::vector<std::byte> bytes_;
  std::vector<std::size_t> offsets_;
};

}  // namespace

Status BoundLaunch::queue(const DriverApi& driver, Stream stream) {
  config_.stream = stream;
  config_.attributes = attributes_.data();
  config_.num_attributes = static_cast<unsigned>(attributes_.size());
  return driver.launch(&config_, function_, parameters_.data(), nullptr);
}

KernelNode BoundLaunch::as_node() const {
  return {function_,
          {config_.grid[0], config_.grid[1], config_.grid[2]},
          {config_.block[0], config_.block[1], config_.block[2]},
          config_.shared_bytes,
          // Read, never written.
          const_cast<void**>(parameters_.data()),
          nullptr,
          nullptr,
          nullptr};
}

Status BoundLaunch::add_to(const DriverApi& driver, Graph graph,
                           const GraphNode* after, std::size_t num_after,
                           GraphNode* node) const {
  const KernelNode kernel = as_node();
  Status status =
      driver.graph_add_kernel(node, graph, after, num_after, &kernel);
  for (const LaunchAttribute& each : attributes_) {
    if (each.id == LaunchAttributeId::programmatic_stream_serialization) {
      continue;
    }
    if (status != kSuccess) break;
    status = driver.graph_set_attribute(*node, each.id, &each.value);
  }
  return status;
}

Status BoundLaunch::set_tensors(const DriverApi& driver,
                                std::span<const DeviceTensor> tensors,
                                GraphNode node) {
  for (const Address& each : addresses_) {
    const DevicePointer data = tensors[each.tensor].data;
    void* const place = parameters_[each.parameter];
    if (!each.in_map) {
      std::memcpy(place, &data, sizeof(data));
      continue;
    }
    const Status status = driver.tensor_map_set_address(
        static_cast<TensorMapWords*>(place),
        reinterpret_cast<void*>(static_cast<uintptr_t>(data)));
    if (status != kSuccess) return status;
  }
  const KernelNode kernel = as_node();
  return driver.graph_set_kernel(node, &kernel);
}

std::string BoundLaunch::key() const {
  std::string key = fmt::format("{}", fmt::ptr(function_));
  for (const LaunchAttribute& each : attributes_) {
    if (each.id == LaunchAttributeId::cluster) {
      key += fmt::format("c{}x{}x{}", each.value.cluster.x,
                         each.value.cluster.y, each.value.cluster.z);
    } else if (each.id == LaunchAttributeId::cooperative) {
      key += "cooperative";
    }
  }
  return key;
}

Result<std::unique_ptr<Program>> Program::load(
    const DriverApi& driver, const Gpu& gpu, std::span<const std::byte> cubin) {
  if (const auto facts = read_cubin(cubin); !facts) {
    return failed("the compiled kernel is refused: " + facts.error().message);
  }
  std::unique_ptr<Program> program(new Program(driver, gpu));
  const Status status = driver.module_load(&program->module_, cubin.data());
  if (status != kSuccess) {
    program->module_ = nullptr;
    return failed(fmt::format("{} does not take the compiled kernel: {}",
                              gpu.name, driver.error_text(status)));
  }
  return program;
}

Program::~Program() {
  if (module_ != nullptr) driver_.module_unload(module_);
}

Result<Program::Kernel*> Program::kernel(const std::string& name) {
  const auto found = kernels_.find(name);
  if (found != kernels_.end()) return &found->second;
  Kernel kernel;
  const Status status = driver_.module_function(&kernel.function, module_,
                                                entry_point(name).c_str());
  if (status != kSuccess) {
    return failed(fmt::format(
        "the program has no kernel '{}' ({}); was it compiled for this "
        "variant?",
        name, driver_.error_text(status)));
  }
  int most = 0;
  driver_.function_attribute(&most, FunctionAttribute::max_threads,
                             kernel.function);
  kernel.max_threads = most;
  return &(kernels_[name] = kernel);
}

// Shared memory above 48 KB and large clusters have to be asked for.
Result<void> Program::allow(Kernel& kernel, const ResolvedLaunch& launch) {
  if (launch.dynamic_memory_bytes > kernel.dynamic_bytes) {
    const Status status = driver_.function_set_attribute(
        kernel.function, FunctionAttribute::max_dynamic_shared_bytes,
        static_cast<int>(launch.dynamic_memory_bytes));
    if (status != kSuccess) {
      return failed(fmt::format(
          "kernel '{}' cannot have {} bytes of dynamic threadgroup memory "
          "beside its own: {}",
          launch.kernel, launch.dynamic_memory_bytes,
          driver_.error_text(status)));
    }
    kernel.dynamic_bytes = launch.dynamic_memory_bytes;
  }
  if (launch.nonportable && !kernel.nonportable) {
    const Status status = driver_.function_set_attribute(
        kernel.function, FunctionAttribute::nonportable_cluster, 1);
    if (status != kSuccess) {
      return failed(
          fmt::format("kernel '{}' cannot run in clusters of more than 8: {}",
                      launch.kernel, driver_.error_text(status)));
    }
    kernel.nonportable = true;
  }
  return {};
}

Status Program::find_resident(Kernel& kernel, const LaunchConfig& config,
                              const Cluster& cluster, int& count) const {
  const unsigned threads = config.block[0] * config.block[1] * config.block[2];
  const Footprint footprint{threads, config.shared_bytes, cluster};
  const auto known = kernel.resident.find(footprint);
  if (known != kernel.resident.end()) {
    count = known->second;
    return kSuccess;
  }
  count = 0;
  const Status status =
      cluster == kNoCluster
          ? driver_.occupancy(&count, kernel.function,
                              static_cast<int>(threads), config.shared_bytes)
          : driver_.occupancy_clusters(&count, kernel.function, &config);
  if (status == kSuccess && count > 0) kernel.resident[footprint] = count;
  return status;
}

Result<void> Program::check_fit(Kernel& kernel, const ResolvedLaunch& launch,
                                const LaunchConfig& config) const {
  const int64_t threads =
      launch.threads[0] * launch.threads[1] * launch.threads[2];
  if (kernel.max_threads > 0 && threads > kernel.max_threads) {
    return failed(fmt::format(
        "kernel '{}' has {} threads; with its registers at most {} fit",
        launch.kernel, threads, kernel.max_threads));
  }
  if (launch.cluster != kNoCluster) {
    int clusters = 0;
    const Status status =
        find_resident(kernel, config, launch.cluster, clusters);
    if (status != kSuccess || clusters < 1) {
      return failed(fmt::format(
          "kernel '{}': no cluster of {} x {} x {} threadgroups fits on this "
          "GPU{}",
          launch.kernel, launch.cluster[0], launch.cluster[1],
          launch.cluster[2],
          status == kSuccess ? "" : ": " + driver_.error_text(status)));
    }
  }
  if (launch.cooperative) {
    int blocks = 0;
    find_resident(kernel, config, kNoCluster, blocks);
    const int64_t most = blocks * gpu_.limits.num_sms;
    const int64_t wanted = launch.threadgroups[0] * launch.threadgroups[1] *
                           launch.threadgroups[2];
    if (wanted > most) {
      return failed(fmt::format(
          "kernel '{}' is cooperative with {} threadgroups; {} fit on this GPU "
          "at a time",
          launch.kernel, wanted, most));
    }
  }
  return {};
}

Result<BoundLaunch> Program::bind(const LaunchPlan& plan, std::size_t index,
                                  std::span<const DeviceTensor> tensors,
                                  std::size_t num_problem_tensors) {
  const ResolvedLaunch& launch = plan.launches[index];
  auto found = kernel(launch.kernel);
  if (!found) return error_of(found);
  if (auto allowed = allow(**found, launch); !allowed) {
    return error_of(allowed);
  }
  const auto place_of = [&](const TensorRef& reference) {
    return reference.index + (reference.scratch ? num_problem_tensors : 0);
  };
  const auto tensor_of = [&](const TensorRef& reference) {
    const std::size_t at = place_of(reference);
    return at < tensors.size() ? &tensors[at] : nullptr;
  };
  BoundLaunch bound;
  ParameterPack pack;
  for (const auto* references : {&launch.reads, &launch.writes}) {
    for (const TensorRef& reference : *references) {
      const DeviceTensor* tensor = tensor_of(reference);
      if (tensor == nullptr || tensor->layout.shape.size() > kMaxRank) {
        return failed(
            fmt::format("kernel '{}' names a tensor that the call "
                        "does not have",
                        launch.kernel));
      }
      bound.addresses_.push_back({pack.size(), place_of(reference), false});
      pack.add(tensor->data);
      pack.add_extents<int32_t>(tensor->layout.shape, 1);
      pack.add_extents<int64_t>(tensor->layout.strides, 1);
    }
  }
  for (const std::size_t map : launch.tensor_maps) {
    if (map >= plan.tensor_maps.size()) {
      return failed(
          fmt::format("kernel '{}' names a tensor map that the plan "
                      "does not have",
                      launch.kernel));
    }
    const DeviceTensor* tensor = tensor_of(plan.tensor_maps[map].tensor);
    if (tensor == nullptr) {
      return failed(fmt::format("tensor map '{}' is of no tensor of the call",
                                plan.tensor_maps[map].name));
    }
    auto words = encode_tensor_map(driver_, plan.tensor_maps[map],
                                   tensor->layout, tensor->data);
    if (!words) return error_of(words);
    bound.addresses_.push_back(
        {pack.size(), place_of(plan.tensor_maps[map].tensor), true});
    pack.add(*words);
  }
  for (const auto& [name, value] : plan.sizes) {
    pack.add(static_cast<int32_t>(value));
  }
  for (const auto& [name, value] : plan.scalars) pack.add(value);
  if (pack.bytes() > kMaxParameterBytes) {
    return failed(
        fmt::format("kernel '{}' has {} bytes of parameters; at most "
                    "{}",
                    launch.kernel, pack.bytes(), kMaxParameterBytes));
  }

  bound.function_ = (*found)->function;
  for (std::size_t d = 0; d < 3; ++d) {
    bound.config_.grid[d] = static_cast<unsigned>(launch.threadgroups[d]);
    bound.config_.block[d] = static_cast<unsigned>(launch.threads[d]);
  }
  bound.config_.shared_bytes =
      static_cast<unsigned>(launch.dynamic_memory_bytes);
  const auto add_attribute = [&](LaunchAttributeId id) -> auto& {
    LaunchAttribute attribute{};
    attribute.id = id;
    bound.attributes_.push_back(attribute);
    return bound.attributes_.back().value;
  };
  if (launch.cluster != kNoCluster) {
    auto& value = add_attribute(LaunchAttributeId::cluster);
    value.cluster.x = static_cast<unsigned>(launch.cluster[0]);
    value.cluster.y = static_cast<unsigned>(launch.cluster[1]);
    value.cluster.z = static_cast<unsigned>(launch.cluster[2]);
  }
  if (launch.cooperative) {
    add_attribute(LaunchAttributeId::cooperative).cooperative = 1;
  }
  if (launch.pdl) {
    // The first launch of a call waits for the call before it.
    if (index == 0) {
      return failed(
          fmt::format("kernel '{}': a call's first launch may not "
                      "overlap what comes before",
                      launch.kernel));
    }
    add_attribute(LaunchAttributeId::programmatic_stream_serialization)
        .programmatic_stream_serialization = 1;
  }
  pack.store(bound.storage_, bound.parameters_);
  LaunchConfig probe = bound.config_;
  probe.attributes = bound.attributes_.data();
  probe.num_attributes = static_cast<unsigned>(bound.attributes_.size());
  if (auto fits = check_fit(**found, launch, probe); !fits) {
    return error_of(fits);
  }
  return bound;
}

}  // namespace evoke::cuda
