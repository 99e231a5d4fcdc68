#include "evoke/evolution/weight_tree.h"

#include <gtest/gtest.h>

#include <numeric>

#include "evoke/base/rng.h"

namespace evoke {
namespace {

TEST(WeightTree, AgreesWithAPlainSumUnderRandomChanges) {
  WeightTree tree;
  std::vector<double> weights;
  Rng rng(7);
  for (int i = 0; i < 5000; ++i) {
    const double weight = static_cast<double>(rng.below(16));
    const uint64_t what = rng.below(4);
    if (weights.empty() || what == 0) {
      tree.push_back(weight);
      weights.push_back(weight);
    } else if (what == 1 && weights.size() > 3) {
      tree.pop_back();
      weights.pop_back();
    } else {
      const std::size_t index = rng.below(weights.size());
      tree.set(index, weight);
      weights[index] = weight;
    }
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    ASSERT_EQ(tree.size(), weights.size());
    ASSERT_EQ(tree.total(), total);  // small integers: exact
    if (total == 0) continue;
    const double share = rng.uniform();
    const std::size_t found = tree.find(share);
    double before = 0;
    for (std::size_t j = 0; j < found; ++j) before += weights[j];
    ASSERT_LE(before, share * total);
    ASSERT_GT(before + weights[found], share * total);
  }
}

TEST(WeightTree, DrawsInProportion) {
  WeightTree tree;
  for (const double weight : {1.0, 0.0, 2.0, 5.0}) tree.push_back(weight);
  std::vector<int> drawn(4, 0);
  Rng rng(3);
  for (int i = 0; i < 80000; ++i) ++drawn[tree.find(rng.uniform())];
  EXPECT_NEAR(drawn[0], 10000, 500);
  EXPECT_EQ(drawn[1], 0);
  EXPECT_NEAR(drawn[2], 20000, 700);
  EXPECT_NEAR(drawn[3], 50000, 900);
}

TEST(WeightTree, NeverDrawsPastTheEnd) {
  WeightTree tree;
  for (int i = 0; i < 5; ++i) tree.push_back(0.1);
  EXPECT_EQ(tree.find(0), 0u);
  EXPECT_EQ(tree.find(1 - 1e-16), 4u);
  EXPECT_EQ(tree.find(1), 4u);
}

}  // namespace
}  // namespace evoke
