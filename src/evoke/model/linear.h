// A matrix of weights, dense or quantized, and what is done with one.
#pragma once

#include <mlx/array.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evoke/model/model_config.h"
#include "evoke/model/weights.h"

namespace evoke::model {

class Linear {
 public:
  // Takes NAME.weight (outputs, inputs), or what MLX's quantization made of
  // it: NAME.weight, NAME.scales and NAME.biases. Throws FileError.
  Linear(Weights& weights, const std::string& name, int outputs, int inputs,
         const Qwen3Config& config);

  // x (..., inputs); gives (..., outputs) in x's type. Evaluates on the way
  // where it widens (cpu_products.h).
  mlx::core::array operator()(const mlx::core::array& x) const;
  // Rows of the matrix: ids (...), gives (..., inputs).
  mlx::core::array rows(const mlx::core::array& ids) const;

  // One product in the place of several of the same input: gives their outputs
  // one after another. `parts` become views of its weight, so that nothing is
  // in memory twice. Empty, and nothing is changed, where one is quantized or
  // their types differ. Evaluates.
  static std::optional<Linear> join(const std::vector<Linear*>& parts);

  // Type of what rows() gives.
  mlx::core::Dtype dtype() const;
  void append_to(std::vector<mlx::core::array>& arrays) const;

 private:
  explicit Linear(mlx::core::array weight) : weight_(std::move(weight)) {}

  struct Packed {
    mlx::core::array scales;
    mlx::core::array biases;
    Quantization quantization;
  };
  bool is_wider_quicker(const mlx::core::array& x) const;
  mlx::core::array as_float32() const;

  mlx::core::array weight_;
  std::optional<Packed> packed_;
};

}  // namespace evoke::model
