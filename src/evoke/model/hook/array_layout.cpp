#include "evoke/model/hook/array_layout.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace evoke::model {

namespace mx = mlx::core;

std::vector<int64_t> regular_strides(const mx::array& tensor) {
  std::vector<int64_t> strides(tensor.strides().begin(),
                               tensor.strides().end());
  int64_t dense = 1;
  for (std::size_t i = strides.size(); i-- > 0;) {
    if (tensor.shape()[i] == 1) strides[i] = dense;
    dense = std::max(dense, tensor.shape()[i] * strides[i]);
  }
  return strides;
}

bool has_strides_for_kernels(const mx::array& tensor, int64_t multiple) {
  const std::vector<int64_t> strides = regular_strides(tensor);
  return strides.back() == 1 && std::all_of(strides.begin(), strides.end() - 1,
                                            [multiple](int64_t stride) {
                                              return stride % multiple == 0;
                                            });
}

void set_output_memory(mx::array& output, mx::allocator::Data memory) {
  const int64_t heads = output.shape(1);
  const int64_t queries = output.shape(2);
  const int64_t width = output.shape(3);
  mx::Strides strides = {queries * heads * width, width, heads * width, 1};
  mx::array::Flags flags{};
  flags.contiguous = true;
  flags.row_contiguous = heads == 1 || queries == 1;
  flags.col_contiguous = output.size() <= 1;
  if (flags.row_contiguous) {
    strides = {heads * queries * width, queries * width, width, 1};
  }
  output.set_data(std::move(memory), output.size(), std::move(strides), flags);
}

}  // namespace evoke::model
