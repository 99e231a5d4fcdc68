#include "evoke/evaluation/protocol/cbor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "evoke/base/rng.h"

namespace evoke::protocol {
namespace {

std::vector<std::byte> bytes_of(const std::vector<int>& values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

Json example() {
  Json json = {{"text", "a\xc3\xa9"},
               {"list", {1, -2, 3.5, true, nullptr}},
               {"big", std::numeric_limits<int64_t>::max()},
               {"small", std::numeric_limits<int64_t>::min()},
               {"nested", {{"deeper", {{"still", Json::array()}}}}}};
  json["bytes"] = Json::binary({0, 255, 7});
  return json;
}

TEST(Cbor, KeepsEverythingThatWeSend) {
  const auto decoded = decode_cbor(encode_cbor(example()));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, example());
}

TEST(Cbor, KeepsDoublesExactly) {
  for (const double value : {0.1, -1e300, 5e-324, 1.0 / 3.0}) {
    const auto decoded = decode_cbor(encode_cbor(Json(value)));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->get<double>(), value);
  }
}

TEST(Cbor, RefusesWhatIsNotOneWholeItem) {
  const std::vector<std::vector<int>> wrong{
      {},                              // nothing
      {0x01, 0x01},                    // two items
      {0x18},                          // an integer without its value
      {0x62, 'a'},                     // a text that ends too early
      {0x9f, 0x01, 0xff},              // indefinite length
      {0xc1, 0x01},                    // a tag
      {0xf7},                          // undefined
      {0xf8, 0x20},                    // an unassigned simple value
      {0x1c},                          // a reserved form
      {0xa1, 0x01, 0x02},              // a key that is no text
      {0x9a, 0xff, 0xff, 0xff, 0xff},  // an array of four billion
      {0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
      {0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
      {0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  for (const auto& each : wrong) {
    EXPECT_FALSE(decode_cbor(bytes_of(each)));
  }
}

TEST(Cbor, RefusesDeepNestingWithoutRecursing) {
  std::vector<std::byte> bytes(1 << 20, std::byte{0x81});
  bytes.push_back(std::byte{0x01});
  const auto decoded = decode_cbor(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_NE(decoded.error().message.find("nested"), std::string::npos);
}

TEST(Cbor, AcceptsTheDepthItPromises) {
  std::vector<std::byte> bytes(kMaxCborDepth, std::byte{0x81});
  bytes.push_back(std::byte{0x01});
  EXPECT_TRUE(decode_cbor(bytes));
}

// Whatever the bytes are, decoding gives a value or an error: run under the
// sanitizers, this is the fuzz test.
TEST(Cbor, SurvivesDamagedMessages) {
  const std::vector<std::byte> good = encode_cbor(example());
  Rng rng(7);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> bytes = good;
    const auto changes = 1 + rng.below(4);
    for (uint64_t c = 0; c < changes; ++c) {
      bytes[rng.below(bytes.size())] = static_cast<std::byte>(rng.below(256));
    }
    if (rng.chance(0.3)) bytes.resize(rng.below(bytes.size() + 1));
    accepted += decode_cbor(bytes) ? 1 : 0;
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 20'000);
}

TEST(Cbor, SurvivesNoise) {
  Rng rng(11);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> bytes(rng.below(64));
    for (std::byte& each : bytes) each = static_cast<std::byte>(rng.below(256));
    (void)decode_cbor(bytes);
  }
}

}  // namespace
}  // namespace evoke::protocol
