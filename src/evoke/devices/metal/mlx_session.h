// Runs kernels of the metal dialect through MLX.
//
// The calls of one run() form a chain: each call's query is a copy that a
// small kernel makes once the call before has written its output, since MLX
// lets launches overlap that do not depend on each other. A baseline's calls
// are chained alike, so that both sides pay the same for it, and the whole
// chain is evaluated at once. There is no device clock: the judge's own counts.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evoke/devices/device.h"
#include "evoke/devices/metal/assemble.h"
#include "evoke/devices/metal/mlx_backend.h"

namespace evoke::metal {

// The link of a chain: a copy of `given`, an array as `query` describes it,
// that waits for `previous`. 0: for nothing.
Result<ArrayId> chain_link(MlxBackend& backend, const TensorLayout& query,
                           ArrayId given, ArrayId previous);

class MlxSession : public DeviceSession {
 public:
  explicit MlxSession(std::unique_ptr<MlxBackend> backend);
  ~MlxSession() override;

  Result<ProgramId> load(std::span<const std::byte> artifact) override;
  void unload(ProgramId program) override;
  Result<CallId> prepare(ProgramId program, const LaunchPlan& plan,
                         std::vector<BoundTensor> tensors) override;
  void release(CallId call) override;
  Result<void> stage(std::span<const CallId> calls, bool inputs) override;
  Result<void> run(std::span<const CallId> calls) override;
  Result<std::string> collect(std::span<const CallId> calls) override;

 private:
  struct Call;
  Result<void> bring_inputs(Call& call);
  Result<ArrayId> link(Call& call, ArrayId previous);
  Result<void> build(Call& call, ArrayId query);
  Result<ArrayId> input_of(Call& call, const AssembledKernel& kernel,
                           std::size_t index,
                           const std::map<std::string, ArrayId>& arrays);
  Result<ArrayId> small_input(Call& call, const AssembledKernel& kernel,
                              std::size_t index);
  void drop_results(Call& call);
  void drop_inputs(Call& call);

  std::unique_ptr<MlxBackend> backend_;
  std::map<ProgramId, std::shared_ptr<const Assembly>> programs_;
  std::map<CallId, std::unique_ptr<Call>> calls_;
  int next_ = 1;
};

}  // namespace evoke::metal
