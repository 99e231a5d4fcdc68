// How compiled kernels get onto MLX's streams: one implementation per kind of
// device. On the CPU a session runs them on the stream's own thread
// (cpu_launcher.cpp), on a GPU of NVIDIA they become nodes of MLX's graph
// (cuda_launcher.cpp, a module of its own).
#pragma once

#include <mlx/array.h>
#include <mlx/stream.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/launch_plan.h"
#include "evoke/devices/device.h"

namespace evoke::model {

// Belongs to the thread that made it, as MLX's default streams do.
class KernelLauncher {
 public:
  virtual ~KernelLauncher() = default;
  virtual const DeviceInfo& device() const = 0;
  // Where all calls run, one after another.
  virtual mlx::core::Stream stream() const = 0;
  // Loads the artifact of one compile unit.
  virtual Result<ProgramId> load(std::span<const std::byte> artifact) = 0;
  // For a primitive's eval: gives `output` its memory and queues one call.
  // `inputs` are read where they lie, unless their layout is none that
  // kernels must take: those are copied first. Gives how many were.
  // `finished` is called once the call has run; errors of the run go the way
  // of MLX's own.
  virtual int launch(ProgramId program, std::shared_ptr<const LaunchPlan> plan,
                     const std::vector<mlx::core::array>& inputs,
                     mlx::core::array& output,
                     std::function<void()> finished) = 0;
  // Waits for all calls. Throws what only now can be told of them: on a GPU,
  // that a kernel left scratch other than it promised.
  virtual void check() { mlx::core::synchronize(stream()); }
};

// On the calling thread's default stream of MLX's CPU. `num_threads` 0: one
// per core, as the judge's runners do.
Result<std::unique_ptr<KernelLauncher>> make_cpu_launcher(int num_threads);
// On MLX's stream for the GPU; opens libevoke_hook_cuda.so. `absent`: it is
// not there, or the libmlx that is loaded has no CUDA back end.
Result<std::unique_ptr<KernelLauncher>> make_cuda_launcher();
// For kernels of this dialect; `absent` where there is none.
Result<std::unique_ptr<KernelLauncher>> make_launcher(Dialect dialect);

}  // namespace evoke::model
