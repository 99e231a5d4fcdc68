// The cuda device's DeviceSession: loads cubins that CudaCompiler made and
// runs calls on one stream of the GPU's primary context, in plain device
// memory.
//
// A run is one CUDA graph, a line of launches, queued behind a kernel that
// holds the stream until everything is queued: device_ns() has no share of
// the host's. Where a kernel breaks the context, DeviceFault is thrown.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"
#include "evoke/devices/cuda/mirrors.h"
#include "evoke/devices/cuda/program.h"
#include "evoke/devices/cuda/tools.h"
#include "evoke/devices/device.h"

namespace evoke::cuda {

class CudaSession final : public DeviceSession {
 public:
  static Result<std::unique_ptr<CudaSession>> open(
      std::shared_ptr<const DriverApi> driver, const Gpu& gpu);
  ~CudaSession() override;

  Result<ProgramId> load(std::span<const std::byte> artifact) override;
  // Calls of this program must be released before.
  void unload(ProgramId program) override;
  // Zeroes self_reset scratch, on the device and in the host's memory.
  Result<CallId> prepare(ProgramId program, const LaunchPlan& plan,
                         std::vector<BoundTensor> tensors) override;
  void release(CallId call) override;
  void forget(std::span<const std::byte> buffer) override;
  Result<void> stage(std::span<const CallId> calls, bool inputs) override;
  // The addresses of what was staged are looked up; L2 and shared memory forget
  // what they hold.
  void get_ready() override;
  Result<void> run(std::span<const CallId> calls) override;
  std::optional<int64_t> device_ns() const override { return device_ns_; }
  Result<DeviceDigests> digests(std::span<const CallId> calls) override;
  Result<std::string> collect(std::span<const CallId> calls) override;
  Result<DeviceRates> measure(int64_t footprint_bytes, bool flops) override;

  const Gpu& gpu() const { return gpu_; }

 private:
  struct Place {
    Mirror* mirror = nullptr;
    Range range;
    std::string name;
  };
  struct Call {
    ProgramId program = 0;
    std::vector<Place> inputs;
    std::vector<Place> written;  // outputs, then scratch that does not last
    std::size_t num_outputs = 0;
    std::vector<Place> lasting;  // self_reset scratch
    struct Fill {
      DevicePointer data = 0;
      std::size_t bytes = 0;
    };
    std::vector<Fill> fills;  // zero, before every call
    std::vector<BoundLaunch> launches;
  };

  CudaSession(std::shared_ptr<const DriverApi> driver, const Gpu& gpu);
  Result<void> start();
  Result<void> bind(Call& call, Program& program, const LaunchPlan& plan,
                    const std::vector<BoundTensor>& tensors);
  Result<void> zero_lasting(Call& call, const LaunchPlan& plan,
                            const std::vector<BoundTensor>& tensors);
  // Inputs that are not on the device yet; with `again`, all.
  Result<void> bring_inputs(const Call& call, bool again);
  Result<std::vector<Call*>> find(std::span<const CallId> calls);
  using Inputs = std::map<std::pair<Mirror*, Range>, std::string>;  // names
  static Inputs inputs_of(std::span<Call* const> calls);
  // `sums`: of the inputs, in their order. Empty when they are as they were.
  static std::string changed(const Inputs& inputs,
                             std::span<const uint64_t> sums);
  Result<void> build_graph(std::span<const CallId> calls);
  void touch(std::span<const CallId> calls);
  void drop_graph();
  // Throws DeviceFault when the context is beyond use.
  Result<void> check(Status status, const char* what) const;

  std::shared_ptr<const DriverApi> driver_;
  Gpu gpu_;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
  Event begin_ = nullptr;
  Event end_ = nullptr;
  std::unique_ptr<Tools> tools_;
  std::unique_ptr<Mirrors> mirrors_;
  std::map<ProgramId, std::unique_ptr<Program>> programs_;
  std::map<CallId, std::unique_ptr<Call>> calls_;
  ProgramId next_program_ = 1;
  CallId next_call_ = 1;
  std::vector<CallId> graph_calls_;  // that graph_ runs
  GraphExec graph_ = nullptr;
  std::optional<int64_t> device_ns_;
};

// The fault that a driver's error means; empty when it leaves the context
// usable.
std::optional<ExitReason> exit_reason_of(Status status);

}  // namespace evoke::cuda
