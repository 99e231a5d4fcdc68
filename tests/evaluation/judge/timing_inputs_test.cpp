#include "evoke/evaluation/judge/timing_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/attention/shape.h"

namespace evoke::judge {
namespace {

using testing::UnorderedElementsAreArray;

std::shared_ptr<TimingInputs> small_inputs(const Problem& problem) {
  attention::AttentionShape shape;
  shape.Hq = 4;
  shape.Hkv = 2;
  shape.Lk = 64;
  shape.D = 64;
  TimingInputs::Options options;
  options.total_bytes = 1 << 19;
  options.max_copies = 16;
  options.seed = 5;
  auto made = TimingInputs::make(problem, attention::to_shape(shape), options);
  EXPECT_TRUE(made.has_value());
  return *made;
}

TEST(TimingInputsTest, RotationMeetsEveryCopyBeforeOneComesBack) {
  const auto problem = make_attention_problem();
  const auto inputs = small_inputs(*problem);
  ASSERT_GT(inputs->num_copies(), 2);
  const std::vector<int> first = inputs->next_copies(inputs->num_copies());
  EXPECT_EQ(inputs->next_copies(inputs->num_copies()), first);
  std::vector<int> all;
  for (int copy = 0; copy < inputs->num_copies(); ++copy) all.push_back(copy);
  EXPECT_THAT(first, UnorderedElementsAreArray(all));
}

// What another device has read is in no cache of this one: its own rotation
// must not be shortened by the other's.
TEST(TimingInputsTest, AnotherDeviceSharesMemoryAndNotTheRotation) {
  const auto problem = make_attention_problem();
  const auto inputs = small_inputs(*problem);
  const auto other = inputs->for_another_device(/*seed=*/6);
  EXPECT_EQ(&other->memory(), &inputs->memory());
  EXPECT_EQ(&other->set(), &inputs->set());
  EXPECT_EQ(other->offsets_of(1), inputs->offsets_of(1));
  std::vector<int> seen = inputs->next_copies(inputs->num_copies() / 2);
  other->next_copies(3);
  const std::vector<int> rest =
      inputs->next_copies(inputs->num_copies() - inputs->num_copies() / 2);
  seen.insert(seen.end(), rest.begin(), rest.end());
  std::vector<int> all;
  for (int copy = 0; copy < inputs->num_copies(); ++copy) all.push_back(copy);
  EXPECT_THAT(seen, UnorderedElementsAreArray(all));
}

}  // namespace
}  // namespace evoke::judge
