// What candidates race against. Linked by the runner only. A baseline is a
// DeviceSession without artifacts: it computes the problem its own way.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/problem.h"
#include "evoke/devices/device.h"

namespace evoke {

class Baseline {
 public:
  virtual ~Baseline() = default;
  virtual std::string name() const = 0;  // "mlx", "openvino"
  virtual std::string version() const = 0;
  // Binds one call to the tensors, in its best way (views, no copies).
  virtual Result<CallId> prepare(const Shape& shape,
                                 std::vector<BoundTensor> tensors) = 0;
  virtual void release(CallId call) = 0;
  // Runs the calls one after another, results evaluated. With `collect`, each
  // output is also copied into its bound tensor (never while timing).
  virtual Result<void> run(std::span<const CallId> calls, bool collect) = 0;
};

// `absent`: not built or not installed here, with what to do.
Result<std::unique_ptr<Baseline>> open_baseline(const std::string& name,
                                                int num_threads);
std::vector<std::string> known_baselines();

}  // namespace evoke
