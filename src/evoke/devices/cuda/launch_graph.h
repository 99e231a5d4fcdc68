// The launches of a plan as a graph of the driver's, for whoever builds larger
// graphs of such parts: made once, then used for other tensors of the same
// layouts.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/program.h"

namespace evoke::cuda {

class LaunchGraph {
 public:
  // Memory that is set to zero ahead of the launches.
  struct Fill {
    DevicePointer data = 0;
    std::size_t bytes = 0;
  };

  // One after another: a launch that may begin early waits all the same.
  static Result<std::unique_ptr<LaunchGraph>> make(
      const DriverApi& driver, std::span<const Fill> fills,
      std::vector<BoundLaunch> launches);
  ~LaunchGraph();
  LaunchGraph(const LaunchGraph&) = delete;
  LaunchGraph& operator=(const LaunchGraph&) = delete;

  // `tensors`: as given to Program::bind, with the same layouts. What was made
  // of the graph before keeps the old ones.
  Status set_tensors(std::span<const DeviceTensor> tensors);

  Graph graph() const { return graph_; }
  // Names what an update of an executable graph cannot change: kinds of nodes,
  // functions, clusters. Updates are safe between graphs of the same key.
  const std::string& key() const { return key_; }

 private:
  explicit LaunchGraph(const DriverApi& driver) : driver_(driver) {}

  const DriverApi& driver_;
  Graph graph_ = nullptr;
  std::vector<BoundLaunch> launches_;
  std::vector<GraphNode> nodes_;  // of the launches
  std::string key_;
};

}  // namespace evoke::cuda
