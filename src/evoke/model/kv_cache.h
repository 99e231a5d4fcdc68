// The keys and values of the tokens so far.
#pragma once

#include <mlx/array.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace evoke::model {

// Buffers (B, Hkv, capacity, D) per layer grow in steps of 256 tokens; what
// attention sees are slices of them, with the capacity in their strides.
// Within the capacity a step writes its own rows alone.
//
// Belongs to one text (or one batch of texts of equal length). Not thread
// safe.
class KvCache {
 public:
  static constexpr int kStep = 256;

  explicit KvCache(int num_layers);

  // Appends (B, Hkv, L, D) to a layer; gives the layer's keys and values so
  // far, (B, Hkv, length, D).
  std::pair<mlx::core::array, mlx::core::array> append(
      int layer, const mlx::core::array& key, const mlx::core::array& value);

  // Tokens in the cache; during a step, those of one layer.
  int length(int layer = 0) const { return layers_[layer].length; }
  int capacity(int layer = 0) const;
  std::size_t bytes() const;
  // All buffers, to be evaluated together.
  std::vector<mlx::core::array> buffers() const;

 private:
  struct Layer {
    std::optional<mlx::core::array> key;
    std::optional<mlx::core::array> value;
    int length = 0;
  };
  std::vector<Layer> layers_;
};

}  // namespace evoke::model
