// In MLX's place: remembers what it was asked for and computes nothing.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "evoke/devices/metal/mlx_backend.h"

namespace evoke::testing {

struct Recording {
  struct Launched {
    std::string kernel;
    std::vector<std::string> inputs;  // labels of arrays
    std::vector<std::string> outputs;
    metal::MlxLaunch launch;  // its kernel pointer means nothing any more
  };
  std::vector<Launched> launches;
  std::vector<std::string> attentions;  // their arguments
  std::vector<std::vector<std::string>> evaluated;
  std::vector<std::string> downloads;  // "array -> tensor"
  std::map<std::string, TensorLayout> uploads;
  std::vector<std::string> compiled;
  std::map<metal::ArrayId, std::string> alive;
  std::string compile_error;  // of every compilation, when set
};

class RecordingBackend : public metal::MlxBackend {
 public:
  explicit RecordingBackend(Recording& recording) : recording_(recording) {}

  std::string description() const override { return "recorded"; }
  DeviceLimits limits() const override { return {}; }

  Result<void> compile(const metal::MlxKernel& kernel) override {
    recording_.compiled.push_back(kernel.name);
    if (!recording_.compile_error.empty()) {
      return failed(recording_.compile_error);
    }
    return {};
  }
  Result<metal::ArrayId> upload(const BoundTensor& tensor) override {
    recording_.uploads[tensor.layout.name] = tensor.layout;
    return add(tensor.layout.name);
  }
  Result<metal::ArrayId> integers(std::span<const int64_t> values,
                                  metal::ElementType type,
                                  bool scalar) override {
    std::string label = std::string(python_name(type));
    for (const int64_t value : values) label += ' ' + std::to_string(value);
    return add(scalar ? label : "[" + label + "]");
  }
  Result<metal::ArrayId> scalar(float value) override {
    return add("float " + std::to_string(value));
  }
  Result<metal::ArrayId> zeros(std::span<const int64_t> /*shape*/,
                               metal::ElementType /*type*/) override {
    return add("zeros");
  }
  Result<std::vector<metal::ArrayId>> launch(
      const metal::MlxLaunch& launch) override {
    Recording::Launched entry;
    entry.kernel = launch.kernel->name;
    entry.launch = launch;
    for (const metal::ArrayId id : launch.inputs) {
      entry.inputs.push_back(recording_.alive.at(id));
    }
    std::vector<metal::ArrayId> ids;
    for (const metal::MlxArray& output : launch.kernel->outputs) {
      const std::string label =
          output.name + "#" + std::to_string(recording_.launches.size());
      entry.outputs.push_back(label);
      ids.push_back(add(label));
    }
    recording_.launches.push_back(std::move(entry));
    return ids;
  }
  Result<metal::ArrayId> attention(metal::ArrayId query, metal::ArrayId key,
                                   metal::ArrayId value, float scale,
                                   bool causal) override {
    const std::string label = "attention#" + std::to_string(attentions_++);
    recording_.attentions.push_back(
        recording_.alive.at(query) + ", " + recording_.alive.at(key) + ", " +
        recording_.alive.at(value) + ", " + std::to_string(scale) +
        (causal ? ", causal" : ""));
    return add(label);
  }
  Result<void> evaluate(std::span<const metal::ArrayId> ids) override {
    std::vector<std::string> labels;
    for (const metal::ArrayId id : ids) {
      labels.push_back(recording_.alive.at(id));
    }
    recording_.evaluated.push_back(labels);
    return {};
  }
  Result<void> download(metal::ArrayId id, const BoundTensor& into) override {
    recording_.downloads.push_back(recording_.alive.at(id) + " -> " +
                                   into.layout.name);
    return {};
  }
  void release(metal::ArrayId id) override { recording_.alive.erase(id); }

 private:
  metal::ArrayId add(std::string label) {
    recording_.alive[next_] = std::move(label);
    return next_++;
  }
  Recording& recording_;
  metal::ArrayId next_ = 1;
  int attentions_ = 0;
};

}  // namespace evoke::testing
