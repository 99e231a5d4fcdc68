#include "evoke/devices/cuda/launch_graph.h"

#include <utility>

namespace evoke::cuda {

Result<std::unique_ptr<LaunchGraph>> LaunchGraph::make(
    const DriverApi& driver, std::span<const Fill> fills,
    std::vector<BoundLaunch> launches) {
  std::unique_ptr<LaunchGraph> made(new LaunchGraph(driver));
  Status status = driver.graph_create(&made->graph_, 0);
  GraphNode last = nullptr;
  const auto add = [&](auto add_node) {
    if (status != kSuccess) return;
    GraphNode node = nullptr;
    status = add_node(&node, &last, last == nullptr ? 0U : 1U);
    last = node;
  };
  for (const Fill& fill : fills) {
    add([&](GraphNode* node, GraphNode* after, std::size_t num_after) {
      const MemsetNode memset{fill.data, 0, 0, 1, fill.bytes, 1};
      return driver.graph_add_memset(node, made->graph_, after, num_after,
                                     &memset, nullptr);
    });
    made->key_ += "fill,";
  }
  for (BoundLaunch& launch : launches) {
    add([&](GraphNode* node, GraphNode* after, std::size_t num_after) {
      return launch.add_to(driver, made->graph_, after, num_after, node);
    });
    made->nodes_.push_back(last);
    made->key_ += launch.key() + ',';
  }
  if (status != kSuccess) {
    return failed("a graph of a kernel's launches: " +
                  driver.error_text(status));
  }
  made->launches_ = std::move(launches);
  return made;
}

LaunchGraph::~LaunchGraph() {
  if (graph_ != nullptr) driver_.graph_destroy(graph_);
}

Status LaunchGraph::set_tensors(std::span<const DeviceTensor> tensors) {
  for (std::size_t i = 0; i < launches_.size(); ++i) {
    const Status status = launches_[i].set_tensors(driver_, tensors, nodes_[i]);
    if (status != kSuccess) return status;
  }
  return kSuccess;
}

}  // namespace evoke::cuda
