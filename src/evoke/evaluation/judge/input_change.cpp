#include "evoke/evaluation/judge/input_change.h"

namespace evoke::judge {

InputChange choose_change(const std::vector<TensorLayout>& layouts,
                          const PackedLayout& packed, Rng& rng) {
  std::vector<std::size_t> inputs;
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    if (packed.offsets[i] >= 0) inputs.push_back(i);
  }
  const std::size_t index = rng.pick(inputs);
  const TensorLayout& layout = layouts[index];
  int64_t element = 0;
  for (std::size_t d = 0; d < layout.shape.size(); ++d) {
    element += static_cast<int64_t>(
                   rng.below(static_cast<uint64_t>(layout.shape[d]))) *
               layout.strides[d];
  }
  const bool integer =
      layout.type == DType::int32 || layout.type == DType::uint32;
  const int64_t bytes = size_of(layout.type);
  InputChange change;
  // Little endian: a float's sign lies in its last byte.
  change.byte = packed.offsets[index] + layout.offset_bytes + element * bytes +
                (integer ? 0 : bytes - 1);
  change.flip = integer ? std::byte{1} : std::byte{0x80};
  return change;
}

}  // namespace evoke::judge
