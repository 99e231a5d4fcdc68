#include "evoke/attention/honest_family.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "evoke/attention/gate.h"
#include "evoke/attention/truth.h"
#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

TEST(HonestFamily, HasTwelveDistinctMembers) {
  std::set<std::string_view> names;
  for (const NamedForm& each : honest_family()) names.insert(each.name);
  for (const NamedForm& each : honest_outsiders()) names.insert(each.name);
  EXPECT_EQ(honest_family().size(), 12U);
  EXPECT_EQ(names.size(), 12U + honest_outsiders().size());
}

// Each member against the envelope of the other eleven, and outsiders against
// the whole family: none may ever be rejected.
TEST(HonestFamily, IsNeverRejected) {
  std::vector<AttentionShape> shapes = {
      small_shape(1, 1),         small_shape(1, 2),
      small_shape(1, 3),         small_shape(1, 33),
      small_shape(1, 130),       small_shape(1, 700),
      small_shape(7, 7, true),   small_shape(40, 40, true),
      small_shape(7, 300, true), small_shape(5, 64)};
  shapes[4].D = 128;
  shapes[7].D = 80;
  std::vector<NamedForm> forms;
  for (const NamedForm& each : honest_family()) forms.push_back(each);
  for (const NamedForm& each : honest_outsiders()) forms.push_back(each);
  for (const AttentionShape& shape : shapes) {
    for (const std::string& input : input_names()) {
      const InputGenerator generator(shape, input, 17);
      const auto measured =
          measure(generator, choose_rows(shape, 1 << 20, 17), forms);
      const std::span family(measured.errors.data(), kFamilySize);
      for (std::size_t f = 0; f < forms.size(); ++f) {
        const int left_out = f < kFamilySize ? static_cast<int>(f) : -1;
        const Envelope envelope(measured.truth.groups, family, left_out);
        const CheckReport report =
            envelope.judge(measured.truth, measured.errors[f]);
        EXPECT_EQ(report.verdict, CheckVerdict::right)
            << forms[f].name << " at " << shape.name() << ": "
            << report.message;
      }
    }
  }
}

}  // namespace
}  // namespace evoke::attention
