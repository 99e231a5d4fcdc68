#include "evoke/base/hash.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

namespace evoke {
namespace {

// XXH3_128bits of nothing, from the algorithm's specification.
TEST(Hash, MatchesTheSpecification) {
  EXPECT_EQ(hash_hex(std::string_view()), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_u64(""), 0x2d06800538d394c2ULL);
}

TEST(Hash, DependsOnEveryByteAndTheSeed) {
  const std::string text = "kernel";
  EXPECT_EQ(hash_hex(text), hash_hex(std::as_bytes(std::span(text))));
  EXPECT_EQ(hash_hex(text).size(), 32U);
  EXPECT_NE(hash_hex("kernel"), hash_hex("kernem"));
  EXPECT_NE(hash_hex("kernel"), hash_hex(std::string_view("kernel\0", 7)));
  EXPECT_NE(hash_u64("kernel", 1), hash_u64("kernel", 2));
}

}  // namespace
}  // namespace evoke
