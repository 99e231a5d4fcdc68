// What candidates race against. Linked by the runner only. A baseline is a
// DeviceSession without artifacts: it computes the problem its own way.
//
// Each one lives in a loadable module (module.h) that brings its library
// along: what links this room starts in milliseconds and builds without any
// of them. docs/baselines.md says which is raced when, and what they cost.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/problem.h"
#include "evoke/devices/device.h"

namespace evoke {

// Used by one thread at a time; two objects may be used by two threads. It
// reads the bound memory anew in every run, in place unless path_of() says
// otherwise, and writes to nothing but the outputs. Its library may start
// threads until the first run of a call has returned, not later.
class Baseline {
 public:
  virtual ~Baseline() = default;
  virtual std::string name() const = 0;  // "mlx", "openvino"
  virtual std::string version() const = 0;
  // Binds one call to the tensors, in its best way (views, no copies). The
  // first call of a shape and layout may take long: warm-up, generated code
  // and the choice between several ways happen here, so that runs are even.
  virtual Result<CallId> prepare(const Shape& shape,
                                 std::vector<BoundTensor> tensors) = 0;
  virtual void release(CallId call) = 0;
  // Runs the calls one after another, results evaluated. With `collect`, each
  // output is also copied into its bound tensor (never while timing); those
  // that compute straight into the bound tensor do so without it as well.
  virtual Result<void> run(std::span<const CallId> calls, bool collect) = 0;
  // Whether it computes on a device that times itself, as device_ns(): what
  // the latest run took there without the host's share (DeviceSession has
  // the same).
  virtual bool has_own_clock() const { return false; }
  virtual std::optional<int64_t> device_ns() const { return std::nullopt; }
  // Which of its own ways computes this call ("float32, OpenBLAS"), for the
  // record. The same for all calls of one shape and layout.
  virtual std::string path_of(CallId call) const = 0;
};

// `absent`: not built or not installed here, with what to do. Thread-safe.
// `num_threads` 0: one per core that the process may use.
Result<std::unique_ptr<Baseline>> open_baseline(const std::string& name,
                                                int num_threads);
std::vector<std::string> known_baselines();

}  // namespace evoke
