#include "evoke/model/tokenizer/streaming_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "evoke/base/rng.h"
#include "tests/model/tokenizer/streamed.h"
#include "tests/model/tokenizer/tiny_tokenizer.h"

namespace evoke::model {
namespace {

Tokenizer bytes_and_one_special() {
  Json json = test::tiny_tokenizer();
  json["added_tokens"] = {test::added_token(256, "<|im_end|>", true)};
  return *test::parse(json);
}

TEST(StreamingDecoder, HoldsBackWhatIsNotACharacterYet) {
  const Tokenizer tokenizer = bytes_and_one_special();
  StreamingDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.add('a'), "a");
  EXPECT_EQ(decoder.add(0xf0), "");
  EXPECT_EQ(decoder.add(0x9f), "");
  EXPECT_EQ(decoder.add(0x98), "");
  EXPECT_EQ(decoder.add(0x80), "\U0001f600");
  EXPECT_EQ(decoder.add(0xe2), "");
  EXPECT_EQ(decoder.add('b'), "\ufffdb");
  EXPECT_EQ(decoder.add(0xc3), "");
  EXPECT_EQ(decoder.finish(), "\ufffd");
  EXPECT_EQ(decoder.finish(), "");
  EXPECT_EQ(decoder.add('c'), "c");
}

TEST(StreamingDecoder, LeavesSpecialTokensOutOnRequest) {
  const Tokenizer tokenizer = bytes_and_one_special();
  StreamingDecoder without(tokenizer);
  EXPECT_EQ(without.add(256), "");
  StreamingDecoder with(tokenizer, false);
  EXPECT_EQ(with.add(256), "<|im_end|>");
}

TEST(StreamingDecoder, EqualsDecodingTheWhole) {
  const Tokenizer tokenizer = bytes_and_one_special();
  Rng rng(4);
  const std::vector<int32_t> common = {0xf0, 0x9f, 0x98, 0x80, 0xe2, 0x82,
                                       0xac, 0xc3, 0xa4, 'a',  256,  0xed};
  for (int i = 0; i < 20'000; ++i) {
    std::vector<int32_t> ids;
    for (uint64_t n = rng.below(12); n > 0; --n) {
      ids.push_back(rng.chance(0.8) ? rng.pick(common)
                                    : static_cast<int32_t>(rng.below(258)));
    }
    const bool skip = rng.chance(0.5);
    ASSERT_EQ(test::streamed(tokenizer, ids, skip),
              tokenizer.decode(ids, skip));
  }
}

}  // namespace
}  // namespace evoke::model
