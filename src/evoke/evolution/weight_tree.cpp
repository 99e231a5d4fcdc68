#include "evoke/evolution/weight_tree.h"

#include <utility>

namespace evoke {

void WeightTree::push_back(double weight) {
  if (size_ == leaves_) {
    std::vector<double> sums(4 * leaves_, 0.0);
    for (std::size_t i = 0; i < size_; ++i) {
      sums[2 * leaves_ + i] = sums_[leaves_ + i];
    }
    leaves_ *= 2;
    for (std::size_t node = leaves_ - 1; node > 0; --node) {
      sums[node] = sums[2 * node] + sums[2 * node + 1];
    }
    sums_ = std::move(sums);
  }
  set(size_++, weight);
}

void WeightTree::pop_back() { set(--size_, 0); }

void WeightTree::set(std::size_t index, double weight) {
  std::size_t node = leaves_ + index;
  sums_[node] = weight;
  while (node > 1) {
    node /= 2;
    sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
  }
}

std::size_t WeightTree::find(double share) const {
  double rest = share * total();
  std::size_t node = 1;
  while (node < leaves_) {
    node *= 2;
    // Going right only where something lies there keeps rounding from
    // leading into an empty branch.
    if (rest >= sums_[node] && sums_[node + 1] > 0) {
      rest -= sums_[node];
      ++node;
    }
  }
  const std::size_t index = node - leaves_;
  return index < size_ ? index : size_ - 1;
}

}  // namespace evoke
