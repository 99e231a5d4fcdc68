#include "evoke/base/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "evoke/base/rng.h"

namespace evoke {
namespace {

std::string by_the_library(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Texts of every character that JSON treats in a way of its own, and of some
// that take several bytes.
std::string random_text(Rng& rng) {
  static const std::vector<std::string> kOthers = {
      "\"", "\\", "/", "\x7f", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  std::string text;
  for (uint64_t left = rng.below(40); left > 0; --left) {
    switch (rng.below(3)) {
      case 0:
        text += static_cast<char>(rng.below(0x20));
        break;
      case 1:
        text += kOthers[rng.below(kOthers.size())];
        break;
      default:
        text.append(rng.below(20), static_cast<char>('a' + rng.below(26)));
    }
  }
  return text;
}

Json random_json(Rng& rng, int depth) {
  switch (rng.below(depth > 0 ? 8 : 6)) {
    case 0:
      return nullptr;
    case 1:
      return rng.below(2) == 0;
    case 2:
      return std::bit_cast<int64_t>(rng.next());
    case 3:
      return rng.next();
    case 4:
      return std::ldexp(rng.uniform() - 0.5,
                        static_cast<int>(rng.below(200)) - 100);
    case 5:
      return random_text(rng);
    case 6: {
      Json list = Json::array();
      for (uint64_t left = rng.below(5); left > 0; --left) {
        list.push_back(random_json(rng, depth - 1));
      }
      return list;
    }
    default: {
      Json object = Json::object();
      for (uint64_t left = rng.below(5); left > 0; --left) {
        object[random_text(rng)] = random_json(rng, depth - 1);
      }
      return object;
    }
  }
}

TEST(DumpJson, WritesWhatTheLibraryWrites) {
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    const Json json = random_json(rng, 4);
    ASSERT_EQ(dump_json(json), by_the_library(json));
    ASSERT_EQ(Json::parse(dump_json(json)), json);
  }
  const Json odd = {{"nan", std::nan("")},
                    {"infinite", std::numeric_limits<double>::infinity()},
                    {"empty", {Json::array(), Json::object(), ""}}};
  EXPECT_EQ(dump_json(odd), by_the_library(odd));
  EXPECT_EQ(dump_json(odd, 2), odd.dump(2));
}

TEST(DumpJson, MendsBytesThatAreNoText) {
  const Json json = {{"a\xff", "\x80 \"b\" \xe2\x82"}};
  const std::string dumped = dump_json(json);
  EXPECT_EQ(dumped,
            "{\"a\xef\xbf\xbd\":\"\xef\xbf\xbd \\\"b\\\" "
            "\xef\xbf\xbd\xef\xbf\xbd\"}");
  EXPECT_FALSE(Json::parse(dumped, nullptr, false).is_discarded());
}

}  // namespace
}  // namespace evoke
