// Against what Hugging Face's own packages answer: make_reference.py, run by
// the fixture `tokenizer_reference`.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/model/tokenizer/added_tokens.h"
#include "evoke/model/tokenizer/chat_template.h"
#include "evoke/model/tokenizer/code_points.h"
#include "evoke/model/tokenizer/nfc.h"
#include "evoke/model/tokenizer/split_pattern.h"
#include "evoke/model/tokenizer/tokenizer.h"
#include "tests/model/tokenizer/streamed.h"

namespace evoke::model {
namespace {

using Ids = std::vector<int32_t>;

const std::string kFolder = EVOKE_TOKENIZER_REFERENCE;

std::string text_of(const std::string& name) {
  const auto text = read_file(kFolder + "/" + name);
  EXPECT_TRUE(text) << name;
  return text.value_or("");
}

Json json_of(const std::string& name) { return Json::parse(text_of(name)); }

class TokenizerReference : public testing::Test {
 protected:
  void SetUp() override {
    const auto versions = read_file(kFolder + "/versions");
    if (!versions) {
      GTEST_SKIP() << "no reference: run it through ctest, whose fixture "
                      "tokenizer_reference makes it";
    }
    if (versions->starts_with("unavailable")) GTEST_SKIP() << *versions;
  }
};

// A shortest case that goes wrong says more than a list of all.
void compare(const std::string& name, std::size_t least) {
  const auto tokenizer = Tokenizer::load(kFolder + "/" + name);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Json cases = json_of(name + ".json");
  ASSERT_GE(cases.size(), least);
  std::size_t wrong = 0;
  std::string shortest;
  for (const Json& entry : cases) {
    const Ids ids = entry["ids"].get<Ids>();
    bool right = true;
    if (entry["text"].is_string()) {
      const auto encoded =
          tokenizer->encode(entry["text"].get_ref<const std::string&>());
      right = encoded && *encoded == ids;
    }
    for (const bool skip : {false, true}) {
      const auto expected =
          entry[skip ? "decoded_skip" : "decoded"].get<std::string>();
      right = right && tokenizer->decode(ids, skip) == expected &&
              test::streamed(*tokenizer, ids, skip) == expected;
    }
    if (right) continue;
    ++wrong;
    const std::string text = entry.dump(-1, ' ', true);
    if (shortest.empty() || text.size() < shortest.size()) shortest = text;
  }
  EXPECT_EQ(wrong, 0U) << "the shortest: " << shortest;
}

TEST_F(TokenizerReference, EncodesAndDecodesLikeTokenizers) {
  compare("plain", 10'000);
}

TEST_F(TokenizerReference, AddedTokensWithAllFlagsToo) {
  compare("flags", 2'000);
}

TEST_F(TokenizerReference, ChatsLikeTransformers) {
  const Json cases = json_of("chat.json");
  ASSERT_GE(cases.size(), 1'000U);
  for (const Json& entry : cases) {
    std::vector<ChatMessage> messages;
    for (const Json& message : entry["messages"]) {
      messages.push_back({message["role"].get<std::string>(),
                          message["content"].get<std::string>()});
    }
    const auto text = render_chat(
        messages, {.add_generation_prompt = entry["add_generation_prompt"],
                   .enable_thinking = entry["enable_thinking"]});
    ASSERT_TRUE(text);
    ASSERT_EQ(*text, entry["text"].get<std::string>())
        << entry["messages"].dump();
  }
}

template <typename Do>
void for_each_code_point(char32_t end, Do&& visit) {
  for (char32_t c = 0; c < end; ++c) {
    if (c < 0xd800 || c > 0xdfff) visit(c);
  }
}

// Every code point there is.
TEST_F(TokenizerReference, ClassesOfCharactersAreTheSame) {
  for (const auto& [name, pattern] :
       {std::pair("letters", R"(\p{L})"), std::pair("numbers", R"(\p{N})"),
        std::pair("spaces", R"(\s)")}) {
    const std::string expected = text_of(name);
    ASSERT_EQ(expected.size(), 0x110000U);
    const auto split = SplitPattern::compile(pattern);
    ASSERT_TRUE(split);
    SplitPattern::Workspace workspace;
    std::vector<std::size_t> ends;
    for_each_code_point(0x110000, [&](char32_t c) {
      std::string text;
      append_utf8(text, c);
      text.push_back('!');
      ASSERT_TRUE(split->split(text, workspace, ends));
      ASSERT_EQ(ends.size() == 2, expected[c] == 1)
          << name << " U+" << std::hex << static_cast<uint32_t>(c);
    });
  }
}

TEST_F(TokenizerReference, WordsGoOnWithTheSameCharacters) {
  const std::string expected = text_of("words");
  ASSERT_EQ(expected.size(), 0x110000U);
  for_each_code_point(0x110000, [&](char32_t c) {
    ASSERT_EQ(is_word_character(c), expected[c] == 1)
        << "U+" << std::hex << static_cast<uint32_t>(c);
  });
}

TEST_F(TokenizerReference, NormalizesLikeTokenizers) {
  const Json changed = json_of("nfc.json");
  ASSERT_GE(changed.size(), 10'000U);
  const auto check = [&](char32_t c) {
    std::string one;
    append_utf8(one, c);
    std::string storage;
    // As make_reference.py has them.
    for (const std::string& text : {one, "b\u0315" + one, "b" + one + "\u0334",
                                    one + "\u0301\u0327", "A" + one}) {
      const auto entry = changed.find(text);
      const std::string expected =
          entry == changed.end() ? text : entry->get<std::string>();
      ASSERT_EQ(to_nfc(text, storage), expected)
          << "U+" << std::hex << static_cast<uint32_t>(c);
    }
  };
  for_each_code_point(0x30000, check);
  for (char32_t c = 0xe0000; c < 0xe0200; ++c) check(c);
}

}  // namespace
}  // namespace evoke::model
