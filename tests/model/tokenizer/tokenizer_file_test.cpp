#include "evoke/model/tokenizer/tokenizer_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "evoke/base/utf8.h"
#include "tests/model/tokenizer/tiny_tokenizer.h"

namespace evoke::model {
namespace {

using testing::HasSubstr;

std::string error_after(const std::function<void(Json&)>& change) {
  Json json = test::tiny_tokenizer({{"a", "b"}, {"ab", "c"}});
  json["added_tokens"] = {test::added_token(258, "<x>", true)};
  EXPECT_TRUE(test::parse(json)) << test::parse(json).error().message;
  change(json);
  const auto tokenizer = test::parse(json);
  if (tokenizer) return "";
  const std::string& message = tokenizer.error().message;
  EXPECT_TRUE(message.starts_with("tokenizer.json: ")) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

TEST(TokenizerFile, RefusesOtherParts) {
  const auto refused = [](const char* part, const Json& value) {
    return error_after([&](Json& json) { json[part] = value; });
  };
  EXPECT_EQ(refused("normalizer", {{"type", "NFKC"}}),
            "tokenizer.json: the normalizer is 'NFKC'; supported are NFC and "
            "none");
  EXPECT_THAT(refused("pre_tokenizer", nullptr), HasSubstr("is 'null'"));
  EXPECT_THAT(refused("pre_tokenizer", {{"type", "Metaspace"}}),
              HasSubstr("is 'Metaspace'; supported is a Sequence of Split"));
  EXPECT_THAT(
      refused("pre_tokenizer",
              {{"type", "Sequence"},
               {"pretokenizers", {{{"type", "Digits"}}, {{"type", "Split"}}}}}),
      HasSubstr("is a Sequence of Digits Split"));
  EXPECT_THAT(refused("pre_tokenizer", {{"type", "Sequence"}}),
              HasSubstr("is a Sequence of nothing"));
  EXPECT_THAT(refused("decoder", nullptr), HasSubstr("the decoder is 'null'"));
  EXPECT_THAT(refused("post_processor", {{"type", "TemplateProcessing"}}),
              HasSubstr("the post_processor is 'TemplateProcessing'"));
  EXPECT_THAT(refused("version", "2.0"), HasSubstr("the version is \"2.0\""));
  EXPECT_THAT(refused("model", nullptr), HasSubstr("it has no model"));
  EXPECT_THAT(refused("model", 7), HasSubstr("no vocab"));
  EXPECT_EQ(refused("post_processor", {{"type", "ByteLevel"}}), "");
  EXPECT_THAT(refused("normalizer", Json::object()),
              HasSubstr("the normalizer is '{} without type'"));
}

TEST(TokenizerFile, RefusesOtherModels) {
  const auto refused = [](const char* key, const Json& value) {
    return error_after([&](Json& json) { json["model"][key] = value; });
  };
  EXPECT_THAT(refused("type", "WordPiece"),
              HasSubstr("the model is 'WordPiece'; supported is BPE"));
  EXPECT_THAT(refused("type", "Unigram"), HasSubstr("'Unigram'"));
  EXPECT_THAT(refused("type", 5), HasSubstr("the model is '5'"));
  EXPECT_THAT(refused("dropout", 0.1), HasSubstr("dropout 0.1"));
  EXPECT_EQ(refused("dropout", 0.0), "");
  EXPECT_THAT(refused("continuing_subword_prefix", "##"), HasSubstr("\"##\""));
  EXPECT_THAT(refused("end_of_word_suffix", "</w>"), HasSubstr("\"</w>\""));
  EXPECT_THAT(refused("byte_fallback", true), HasSubstr("byte_fallback"));
  EXPECT_THAT(refused("ignore_merges", "yes"),
              HasSubstr("has ignore_merges \"yes\", not true or false"));
}

TEST(TokenizerFile, RefusesOtherSplits) {
  const auto refused = [](int step, const char* key, const Json& value) {
    return error_after([&](Json& json) {
      json["pre_tokenizer"]["pretokenizers"][static_cast<std::size_t>(step)]
          [key] = value;
    });
  };
  EXPECT_THAT(refused(0, "behavior", "Removed"), HasSubstr("\"Removed\""));
  EXPECT_THAT(refused(0, "invert", true), HasSubstr("splits with invert"));
  EXPECT_THAT(refused(0, "pattern", {{"String", " "}}),
              HasSubstr("splits without a Regex"));
  EXPECT_THAT(refused(0, "pattern", {{"Regex", R"(\w+)"}}),
              HasSubstr("the split pattern uses '\\w', which is not"));
  EXPECT_THAT(refused(0, "pattern", {{"Regex", "(a"}}),
              HasSubstr("the split pattern is wrong at byte 2"));
  EXPECT_THAT(refused(0, "pattern", {{"Regex", "a*"}}),
              HasSubstr("may match nothing"));
  EXPECT_THAT(refused(1, "add_prefix_space", true), HasSubstr("prefix space"));
  EXPECT_THAT(refused(1, "add_prefix_space", nullptr),
              HasSubstr("the pre_tokenizer does not say add_prefix_space"));
  EXPECT_THAT(refused(1, "use_regex", true), HasSubstr("in ByteLevel, too"));
}

TEST(TokenizerFile, RefusesDamagedVocabularies) {
  const auto refused = [](const std::function<void(Json&)>& change) {
    return error_after([&](Json& json) { change(json["model"]); });
  };
  EXPECT_THAT(refused([](Json& m) { m.erase("vocab"); }),
              HasSubstr("no vocab"));
  EXPECT_THAT(refused([](Json& m) { m.erase("merges"); }),
              HasSubstr("no merges"));
  EXPECT_THAT(refused([](Json& m) { m["vocab"]["ab"] = 255; }),
              HasSubstr("two tokens have id 255"));
  EXPECT_THAT(refused([](Json& m) { m["vocab"]["ab"] = 258; }),
              HasSubstr("token 'ab' has id 258; the 258 different tokens"));
  EXPECT_THAT(refused([](Json& m) { m["vocab"]["ab"] = -1; }),
              HasSubstr("has id -1"));
  EXPECT_THAT(refused([](Json& m) { m["vocab"]["ab"] = 1e300; }),
              HasSubstr("has id 1e+300"));
  EXPECT_THAT(refused([](Json& m) { m["vocab"]["ab"] = UINT64_MAX; }),
              HasSubstr("has id 18446744073709551615"));
  EXPECT_THAT(refused([](Json& m) { m["vocab"]["ab"] = "1"; }),
              HasSubstr("has id \"1\""));
  EXPECT_THAT(refused([](Json& m) { m["merges"][1] = {"ab", "d"}; }),
              HasSubstr("merge 1 needs the token 'abd'"));
  for (const Json& merge : {Json("ab"), Json("a b c"), Json({"a"}), Json(1),
                            Json({"a", 1}), Json(nullptr)}) {
    EXPECT_THAT(refused([&](Json& m) { m["merges"][0] = merge; }),
                HasSubstr("merge 0 is"));
  }
  EXPECT_THAT(refused([](Json& m) {
                m["vocab"].erase("!");
                m["vocab"]["!!"] = 33;
              }),
              HasSubstr("no token for byte 33"));
}

TEST(TokenizerFile, RefusesDamagedAddedTokens) {
  const auto refused = [](const char* key, const Json& value) {
    return error_after(
        [&](Json& json) { json["added_tokens"][0][key] = value; });
  };
  EXPECT_THAT(refused("id", 300),
              HasSubstr("'<x>' has id 300 where 258 is expected"));
  EXPECT_THAT(refused("id", 1), HasSubstr("has id 1 where 258 is expected"));
  EXPECT_THAT(refused("id", nullptr),
              HasSubstr("added_tokens[0] has no content or no id"));
  EXPECT_THAT(refused("content", ""), HasSubstr("no content or no id"));
  EXPECT_THAT(refused("content", "ab"),
              HasSubstr("'ab' has id 258 where 256 is expected"));
  EXPECT_THAT(refused("lstrip", 1),
              HasSubstr("added token '<x>' has lstrip 1, not"));
  EXPECT_THAT(refused("special", nullptr),
              HasSubstr("added token '<x>' does not say special"));
  EXPECT_THAT(error_after([](Json& json) {
                json["added_tokens"].push_back(json["added_tokens"][0]);
              }),
              HasSubstr("'<x>' is there twice"));
  EXPECT_THAT(error_after([](Json& json) {
                json["added_tokens"] = {test::added_token(258, "\u2126", true),
                                        test::added_token(259, "\u03a9", true)};
                json["added_tokens"][0]["normalized"] = true;
                json["added_tokens"][1]["normalized"] = true;
              }),
              HasSubstr("is the same as another one when normalized"));
  EXPECT_THAT(error_after([](Json& json) { json["added_tokens"] = 1; }),
              HasSubstr("added_tokens is not a list"));
}

TEST(TokenizerFile, EveryBeginningOfAFileIsAnError) {
  const std::string text = test::tiny_tokenizer({{"a", "b"}}).dump();
  for (std::size_t size = 0; size < text.size(); size += 7) {
    const auto file = read_tokenizer_file(text.substr(0, size), "cut.json");
    ASSERT_FALSE(file) << size;
    ASSERT_THAT(file.error().message, HasSubstr("cut.json: "));
  }
  EXPECT_THAT(read_tokenizer_file("{\"a\xff\": 1}", "x").error().message,
              HasSubstr("x: damaged or cut short"));
  EXPECT_FALSE(read_tokenizer_file("[]", "x"));
  EXPECT_FALSE(read_tokenizer_file("null", "x"));
}

TEST(TokenizerFile, DeepNestingIsAnErrorLikeAnyOther) {
  const std::string deep(1'000'000, '[');
  const std::string closed = deep + std::string(deep.size(), ']');
  for (const char* key :
       {"normalizer", "pre_tokenizer", "decoder", "model", "added_tokens"}) {
    std::string text = test::tiny_tokenizer().dump();
    const std::string name = "\"" + std::string(key) + "\":";
    text.insert(text.find(name) + name.size(), closed + ",\"unread\":");
    const auto file = read_tokenizer_file(text, "x");
    ASSERT_FALSE(file) << key;
    EXPECT_THAT(file.error().message, HasSubstr(key));
  }
}

}  // namespace
}  // namespace evoke::model
