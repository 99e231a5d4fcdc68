#include "evoke/model/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/tokenizer/tiny_tokenizer.h"
#include "tests/support/temporary_folder.h"

namespace evoke::model {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ids = std::vector<int32_t>;

Tokenizer tokenizer_of(const Json& json) {
  auto tokenizer = test::parse(json);
  if (!tokenizer) throw std::runtime_error(tokenizer.error().message);
  return *std::move(tokenizer);
}

Ids encode(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text);
  EXPECT_TRUE(ids) << text;
  return ids.value_or(Ids{});
}

TEST(Tokenizer, BytesAreTokens) {
  const Tokenizer tokenizer = tokenizer_of(test::tiny_tokenizer());
  EXPECT_EQ(tokenizer.vocabulary_size(), 256);
  EXPECT_THAT(encode(tokenizer, ""), IsEmpty());
  EXPECT_THAT(encode(tokenizer, "a \xc3\xa9"), ElementsAre(97, 32, 195, 169));
  EXPECT_EQ(tokenizer.token(32), "\u0120");
  EXPECT_EQ(tokenizer.bytes(32), " ");
  EXPECT_EQ(tokenizer.id_of("\u0120"), 32);
  EXPECT_EQ(tokenizer.id_of(" "), std::nullopt);
  EXPECT_EQ(tokenizer.token(256), "");
  EXPECT_EQ(tokenizer.token(-1), "");
}

TEST(Tokenizer, MergesTheLowestRankFirstAndTheLeftmostOfEquals) {
  const Tokenizer tokenizer =
      tokenizer_of(test::tiny_tokenizer({{"b", "c"},      // 256
                                         {"a", "b"},      // 257
                                         {"a", "a"},      // 258
                                         {"a", "bc"}}));  // 259
  EXPECT_THAT(encode(tokenizer, "abc"), ElementsAre(259));
  EXPECT_THAT(encode(tokenizer, "ab"), ElementsAre(257));
  EXPECT_THAT(encode(tokenizer, "aaa"), ElementsAre(258, 97));
  EXPECT_THAT(encode(tokenizer, "aabc"), ElementsAre(258, 256));
  EXPECT_THAT(encode(tokenizer, "bcabc"), ElementsAre(256, 259));
}

TEST(Tokenizer, DoesNotMergeAcrossWords) {
  const Tokenizer tokenizer =
      tokenizer_of(test::tiny_tokenizer({{"1", "2"}, {"a", "\u0120"}}));
  EXPECT_THAT(encode(tokenizer, "12"), ElementsAre('1', '2'));
  EXPECT_THAT(encode(tokenizer, "a b"), ElementsAre('a', ' ', 'b'));
}

// Long words take another way than short ones: both must agree.
TEST(Tokenizer, LongRunsMergeLikeShortOnes) {
  const Tokenizer tokenizer = tokenizer_of(test::tiny_tokenizer(
      {{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}, {"a", "b"}}));
  for (std::size_t n = 1; n < 300; ++n) {
    Ids expected(n / 8, 258);
    if (n % 8 >= 4) expected.push_back(257);
    if (n % 4 >= 2) expected.push_back(256);
    if (n % 2 == 1) expected.push_back('a');
    ASSERT_EQ(encode(tokenizer, std::string(n, 'a')), expected) << n;
  }
  EXPECT_EQ(encode(tokenizer, std::string(1 << 20, 'a')).size(), 1U << 17);
}

TEST(Tokenizer, NormalizesFirst) {
  const Tokenizer tokenizer =
      tokenizer_of(test::tiny_tokenizer({{"\u00c3", "\u00a9"}}));
  EXPECT_THAT(encode(tokenizer, "e\u0301"), ElementsAre(256));
  Json json = test::tiny_tokenizer({{"\u00c3", "\u00a9"}});
  json["normalizer"] = nullptr;
  EXPECT_THAT(encode(tokenizer_of(json), "e\u0301"),
              ElementsAre('e', 0xcc, 0x81));
}

TEST(Tokenizer, MergesMayBeTexts) {
  Json json = test::tiny_tokenizer({{"a", "b"}});
  json["model"]["merges"] = {"a b"};
  EXPECT_THAT(encode(tokenizer_of(json), "ab"), ElementsAre(256));
}

TEST(Tokenizer, IgnoreMergesTakesAWordThatIsAToken) {
  Json json = test::tiny_tokenizer();
  json["model"]["vocab"]["\u0120xyz"] = 256;
  EXPECT_EQ(encode(tokenizer_of(json), " xyz").size(), 4U);
  json["model"]["ignore_merges"] = true;
  EXPECT_THAT(encode(tokenizer_of(json), " xyz xyz xy"),
              ElementsAre(256, 256, ' ', 'x', 'y'));
}

TEST(Tokenizer, AddedTokensAreFoundInTheText) {
  Json json = test::tiny_tokenizer();
  json["added_tokens"] = {test::added_token(256, "<|im_start|>", true),
                          test::added_token(257, "<|im_end|>", true),
                          test::added_token(258, "<think>", false)};
  const Tokenizer tokenizer = tokenizer_of(json);
  const Ids ids = encode(tokenizer, "<|im_start|>a<|im_end|><think><|im");
  EXPECT_THAT(ids, ElementsAre(256, 'a', 257, 258, '<', '|', 'i', 'm'));
  EXPECT_TRUE(tokenizer.is_special(256));
  EXPECT_FALSE(tokenizer.is_special(258));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_EQ(tokenizer.decode(ids, false), "<|im_start|>a<|im_end|><think><|im");
  EXPECT_EQ(tokenizer.decode(ids, true), "a<think><|im");
}

TEST(Tokenizer, AddedTokensTakeSpaceAlongWhereTheySaySo) {
  Json json = test::tiny_tokenizer();
  json["added_tokens"] = {test::added_token(256, "<l>", false),
                          test::added_token(257, "<r>", false),
                          test::added_token(258, "alone", false)};
  json["added_tokens"][0]["lstrip"] = true;
  json["added_tokens"][1]["rstrip"] = true;
  json["added_tokens"][2]["single_word"] = true;
  const Tokenizer tokenizer = tokenizer_of(json);
  EXPECT_THAT(encode(tokenizer, "a \u3000<l> <r> \n<l>"),
              ElementsAre('a', 256, ' ', 257, 256));
  EXPECT_THAT(encode(tokenizer, "(alone)"), ElementsAre('(', 258, ')'));
  EXPECT_EQ(encode(tokenizer, "alones").size(), 6U);
  EXPECT_EQ(encode(tokenizer, "\u0301alone").size(), 7U);
}

TEST(Tokenizer, RefusesInvalidUtf8) {
  const Tokenizer tokenizer = tokenizer_of(test::tiny_tokenizer());
  for (const std::string_view text :
       {"\xff", "ab\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(tokenizer.encode(text));
  }
  EXPECT_EQ(tokenizer.encode("ab\xff").error().message,
            "the text is not valid UTF-8: byte 2 of 3");
}

TEST(Tokenizer, DecodesWhatIsNotUtf8AsReplacements) {
  const Tokenizer tokenizer = tokenizer_of(test::tiny_tokenizer());
  const auto decode = [&](const Ids& ids) {
    return tokenizer.decode(ids, true);
  };
  EXPECT_EQ(decode({0xe2, 0x82, 0xac}), "\u20ac");
  EXPECT_EQ(decode({'a', 0xff, 'b'}), "a\ufffdb");
  EXPECT_EQ(decode({0xe2, 0x82}), "\ufffd");
  EXPECT_EQ(decode({0xe2, 'a'}), "\ufffda");
  EXPECT_EQ(decode({0xed, 0xa0, 0x80}), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(decode({0xf0, 0x9f, 0xf0, 0x9f, 0x98, 0x80}), "\ufffd\U0001f600");
  EXPECT_EQ(decode({-1, 'a', 99999}), "a");
}

TEST(Tokenizer, ManyThreadsMayUseOne) {
  const Tokenizer tokenizer =
      tokenizer_of(test::tiny_tokenizer({{"a", "b"}, {"ab", "c"}}));
  const std::string text = "abc ab \u00e9 abcabc 'll";
  const Ids expected = encode(tokenizer, text);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) {
        EXPECT_EQ(*tokenizer.encode(text), expected);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class ModelFolder : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.file(name)) << text;
  }
  Result<Tokenizer> load() { return Tokenizer::load(folder_.path()); }

  evoke::test::TemporaryFolder folder_;
};

TEST_F(ModelFolder, NamesWhatIsMissing) {
  const auto no_folder = Tokenizer::load(folder_.file("no"));
  EXPECT_EQ(no_folder.error().kind, ErrorKind::absent);
  EXPECT_THAT(no_folder.error().message, testing::HasSubstr("/no: no such"));
  const auto no_file = load();
  EXPECT_EQ(no_file.error().kind, ErrorKind::absent);
  EXPECT_THAT(no_file.error().message, testing::HasSubstr("tokenizer.json"));
  write("tokenizer.json", "");
  EXPECT_THAT(load().error().message,
              testing::HasSubstr("tokenizer.json: the file is empty"));
  EXPECT_THAT(Tokenizer::load(folder_.file("tokenizer.json")).error().message,
              testing::HasSubstr("is not a folder"));
}

TEST_F(ModelFolder, ReadsTheConfigWhereItIsThere) {
  Json json = test::tiny_tokenizer();
  json["added_tokens"] = {test::added_token(256, "<|im_end|>", true)};
  write("tokenizer.json", json.dump());
  auto tokenizer = load();
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->eos_id(), std::nullopt);
  EXPECT_EQ(tokenizer->chat_template(), "");

  write("tokenizer_config.json",
        R"({"eos_token": "<|im_end|>", "chat_template": "T"})");
  tokenizer = load();
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->eos_id(), 256);
  EXPECT_EQ(tokenizer->chat_template(), "T");

  write("tokenizer_config.json",
        R"({"eos_token": {"content": "<|im_end|>"}, "chat_template":
            [{"name": "tool_use", "template": "U"},
             {"name": "default", "template": "D"}]})");
  tokenizer = load();
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->eos_id(), 256);
  EXPECT_EQ(tokenizer->chat_template(), "D");

  write("chat_template.jinja", "J");
  EXPECT_EQ(load()->chat_template(), "J");
  for (const char* damaged : {"", "{\"eos", "[]"}) {
    write("tokenizer_config.json", damaged);
    EXPECT_THAT(load().error().message,
                testing::HasSubstr("tokenizer_config.json: damaged"));
  }
  write("tokenizer_config.json", R"({"eos_token": 256})");
  EXPECT_THAT(
      load().error().message,
      testing::HasSubstr("tokenizer_config.json: eos_token is not a text"));
}

}  // namespace
}  // namespace evoke::model
