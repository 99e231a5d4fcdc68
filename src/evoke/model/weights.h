// The tensors of a model folder, by name.
#pragma once

#include <mlx/array.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::model {

// Each weight is asked for once, with the shape that it must have; the rest
// is what the model has no use for.
class Weights {
 public:
  // Reads model.safetensors, or the shards that
  // model.safetensors.index.json names; nothing is in memory before it is
  // evaluated. `absent`: neither is there, or a shard is missing.
  static Result<Weights> open(const std::filesystem::path& model_folder);

  // All but packed ones, when they are evaluated.
  void cast(mlx::core::Dtype dtype);
  bool has(std::string_view name) const;
  // Throws FileError (tokenizer/json_part.h) when it is not there or has
  // another shape.
  mlx::core::array take(const std::string& name, const mlx::core::Shape& shape);
  // The names of what was not taken.
  std::vector<std::string> rest() const;

 private:
  std::map<std::string, mlx::core::array, std::less<>> arrays_;
};

}  // namespace evoke::model
