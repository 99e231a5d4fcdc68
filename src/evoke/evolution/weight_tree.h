// Items with weights, drawn in proportion to them: a binary tree of sums.
// Setting a weight and drawing cost O(log n). A sum is always added up from
// its two parts, so rounding errors do not pile up.
#pragma once

#include <cstddef>
#include <vector>

namespace evoke {

class WeightTree {
 public:
  std::size_t size() const { return size_; }
  void push_back(double weight);
  void pop_back();
  void set(std::size_t index, double weight);  // weight >= 0
  double weight(std::size_t index) const { return sums_[leaves_ + index]; }
  double total() const { return sums_[1]; }
  // The item that holds the point `share` of the total, share in [0, 1).
  // size() must not be 0.
  std::size_t find(double share) const;

 private:
  // A heap layout: 1 is the root, leaves_ + i is item i.
  std::vector<double> sums_{0, 0};
  std::size_t leaves_ = 1;
  std::size_t size_ = 0;
};

}  // namespace evoke
