// A loaded cubin, and its kernels bound to the tensors of one call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/launch_plan.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"

namespace evoke::cuda {

// A tensor on the device.
struct DeviceTensor {
  DevicePointer data = 0;  // element 0
  TensorLayout layout;
};

// One launch, ready to be queued any number of times.
class BoundLaunch {
 public:
  BoundLaunch() = default;
  BoundLaunch(BoundLaunch&&) = default;
  BoundLaunch& operator=(BoundLaunch&&) = default;

  Status queue(const DriverApi& driver, Stream stream);

  // As a node of a graph. Of a launch that may begin early the node waits for
  // those before it.
  Status add_to(const DriverApi& driver, Graph graph, const GraphNode* after,
                std::size_t num_after, GraphNode* node) const;
  // Other tensors of the same layouts, for later uses of the node.
  Status set_tensors(const DriverApi& driver,
                     std::span<const DeviceTensor> tensors, GraphNode node);
  // Of two launches with the same key, nodes differ in sizes and parameters
  // at the most.
  std::string key() const;

 private:
  friend class Program;
  // A parameter that holds the address of a tensor.
  struct Address {
    std::size_t parameter = 0;
    std::size_t tensor = 0;  // as given to bind()
    bool in_map = false;
  };
  KernelNode as_node() const;
  Function function_ = nullptr;
  LaunchConfig config_{};
  std::vector<LaunchAttribute> attributes_;
  // Parameters one after another, each at the alignment of its type; the
  // blocks are aligned for the widest, a tensor map.
  std::vector<TensorMapWords> storage_;
  std::vector<void*> parameters_;
  std::vector<Address> addresses_;
};

class Program {
 public:
  // Reads the cubin again (cubin.h): it may come from a disk.
  static Result<std::unique_ptr<Program>> load(
      const DriverApi& driver, const Gpu& gpu,
      std::span<const std::byte> cubin);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Launch `index` of the plan. `tensors`: the problem's, then scratch. Errors
  // are about what this GPU cannot do.
  Result<BoundLaunch> bind(const LaunchPlan& plan, std::size_t index,
                           std::span<const DeviceTensor> tensors,
                           std::size_t num_problem_tensors);

 private:
  using Cluster = std::array<int64_t, 3>;
  static constexpr Cluster kNoCluster = {1, 1, 1};
  // All that how much of a kernel fits on the GPU at a time depends on: the
  // threads of a block, its shared bytes, the cluster.
  using Footprint = std::tuple<unsigned, unsigned, Cluster>;
  struct Kernel {
    Function function = nullptr;
    int64_t max_threads = 0;
    int64_t dynamic_bytes = 0;  // as the function is set up for
    bool nonportable = false;
    // The driver's answers above 0. It is asked once for each footprint, as
    // bind() may run before every launch and the answer takes longer than one.
    std::map<Footprint, int> resident;
  };
  Program(const DriverApi& driver, const Gpu& gpu)
      : driver_(driver), gpu_(gpu) {}
  Result<Kernel*> kernel(const std::string& name);
  Result<void> allow(Kernel& kernel, const ResolvedLaunch& launch);
  Result<void> check_fit(Kernel& kernel, const ResolvedLaunch& launch,
                         const LaunchConfig& config) const;
  // Clusters of that size on the GPU; with kNoCluster, threadgroups per SM.
  Status find_resident(Kernel& kernel, const LaunchConfig& config,
                       const Cluster& cluster, int& count) const;

  const DriverApi& driver_;
  Gpu gpu_;
  Module module_ = nullptr;
  std::map<std::string, Kernel> kernels_;
};

}  // namespace evoke::cuda
