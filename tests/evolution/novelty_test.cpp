#include "evoke/evolution/novelty.h"

#include <gtest/gtest.h>

namespace evoke {
namespace {

TEST(Novelty, TheFirstOwnerStays) {
  Novelty novelty;
  EXPECT_EQ(novelty.owner("a"), 0);
  novelty.claim("a", 3);
  novelty.claim("a", 5);
  EXPECT_EQ(novelty.owner("a"), 3);
  EXPECT_EQ(novelty.size(), 1u);
}

TEST(Novelty, AGenomeWithAnothersCodeBelongsToThatOne) {
  Novelty novelty;
  novelty.claim("a", 3);
  novelty.claim("b", 4);
  novelty.alias("b", 3);
  novelty.alias("c", 0);
  EXPECT_EQ(novelty.owner("b"), 3);
  EXPECT_EQ(novelty.owner("c"), 0);
}

}  // namespace
}  // namespace evoke
