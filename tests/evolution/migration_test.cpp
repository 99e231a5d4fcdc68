#include "evoke/evolution/migration.h"

#include <gtest/gtest.h>

namespace evoke {
namespace {

Member member(CandidateId id, double log_value) {
  Exemplar exemplar;
  exemplar.candidate.id = id;
  return {std::make_shared<const Exemplar>(exemplar), {log_value, 0, 0, 0, 1}};
}

std::vector<Island> islands_of(std::size_t count) {
  std::vector<Island> islands(count, Island{Archive(10, 0)});
  for (std::size_t i = 0; i < count; ++i) {
    for (int j = 0; j < 3; ++j) {
      const auto id = static_cast<CandidateId>(10 * i) + j + 1;
      islands[i].archive.offer(member(id, 1.0 / (j + 1)), j, false);
    }
  }
  return islands;
}

TEST(Migration, TheBestGoToTheNextIslandOfTheRing) {
  const auto islands = islands_of(3);
  const auto migrants = choose_migrants(
      islands, 2, [](CandidateId, std::size_t) { return false; });
  ASSERT_EQ(migrants.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(migrants[i].from, i / 2);
    EXPECT_EQ(migrants[i].to, (i / 2 + 1) % 3);
    EXPECT_EQ(migrants[i].member.id(),
              static_cast<CandidateId>(10 * (i / 2) + i % 2 + 1));
  }
}

TEST(Migration, WhoHasBeenThereStays) {
  const auto islands = islands_of(2);
  const auto migrants =
      choose_migrants(islands, 1, [](CandidateId id, std::size_t island) {
        return (id == 1 && island == 1) || id > 10;
      });
  ASSERT_EQ(migrants.size(), 1u);
  EXPECT_EQ(migrants[0].member.id(), 2);
}

TEST(Migration, OneIslandHasNobodyToSendTo) {
  EXPECT_TRUE(choose_migrants(islands_of(1), 3, [](CandidateId, std::size_t) {
                return false;
              }).empty());
}

}  // namespace
}  // namespace evoke
