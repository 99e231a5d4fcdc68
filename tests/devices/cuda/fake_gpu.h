// A GPU made of host memory: enough of the driver to try the session's own
// logic (what is copied when, in which order things are queued, what an error
// means) where there is no GPU. Device addresses are addresses of the host;
// kernels are functions of this program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"

namespace evoke::testing {

struct FakeLaunch {
  std::string kernel;
  cuda::LaunchConfig config{};
  std::vector<cuda::LaunchAttribute> attributes;
  void** parameters = nullptr;

  template <typename T>
  T& parameter(std::size_t index) const {
    return *static_cast<T*>(parameters[index]);
  }
};

class FakeGpu {
 public:
  FakeGpu();
  ~FakeGpu();

  std::shared_ptr<const cuda::DriverApi> api() const { return api_; }
  cuda::Gpu gpu() const;

  // What runs as `evoke_run_NAME`.
  void add_kernel(const std::string& name,
                  std::function<void(const FakeLaunch&)> body);

  // Everything launched so far, evoke's own kernels too, in the order in
  // which the stream ran it.
  std::vector<std::string> ran;
  std::vector<FakeLaunch> launches;  // of evoke_run_*
  // Calls whose next answer is this error: "cuMemAlloc_v2" -> 2.
  std::map<std::string, cuda::Status> errors;
  int num_gpus = 1;
  bool gate_late = false;  // the first event fires before all is queued
  std::size_t allocated_bytes = 0;
  int cluster_questions = 0;  // cuOccupancyMaxActiveClusters
  std::map<cuda::DevicePointer, std::vector<std::byte>> memory;

  // For the table's functions, which have no context of their own.
  static FakeGpu& instance();
  struct Function {
    std::string name;
    std::function<void(const FakeLaunch&)> body;
    std::map<cuda::FunctionAttribute, int> attributes;
  };
  std::map<std::string, std::unique_ptr<Function>> functions;
  using Step = std::function<void()>;
  std::vector<Step>* capture = nullptr;  // where queued work goes
  void queue(Step step);
  cuda::GraphNode last_node = nullptr;  // added to any graph
  cuda::Status error_of(const std::string& call);

 private:
  std::shared_ptr<cuda::DriverApi> api_;
};

// The smallest file that passes for a cubin with these kernels.
std::vector<std::byte> fake_cubin(const std::vector<std::string>& kernels);

}  // namespace evoke::testing
