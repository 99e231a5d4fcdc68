// `evoke generate`, which becomes evoke_model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/e2e/program.h"
#include "tests/model/tiny_model.h"

namespace evoke::test {
namespace {

using model::test::TinyModel;
using testing::HasSubstr;

TEST(Generate, PrintsTheTextAndThenTheNumbers) {
  const Desk desk;
  const TinyModel model;
  const std::vector<std::string> arguments = {
      "generate", "--model",      model.path(), "--prompt",
      "Hello",    "--max-tokens", "6",          "--ignore-eos"};
  const Json json = desk.json(arguments);
  EXPECT_EQ(json["prompt_tokens"], 5);
  EXPECT_EQ(json["tokens"].size(), 6);
  const Ended ended = desk.run(arguments);
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.output, HasSubstr(json["text"].get<std::string>()));
  EXPECT_THAT(ended.output, HasSubstr("Prompt: 5 tokens, "));
  EXPECT_THAT(ended.output, HasSubstr("Generation: 6 tokens, "));
  EXPECT_THAT(ended.output, HasSubstr("Peak memory: "));
}

TEST(Generate, TakesTokensInPlaceOfAText) {
  const Desk desk;
  const TinyModel model;
  desk.write("ids.json", "[72, 101, 108, 108, 111]");
  const Json json =
      desk.json({"generate", "--model", model.path(), "--prompt-ids",
                 desk.file("ids.json"), "--dtype", "bfloat16", "-n", "3"});
  EXPECT_EQ(json["prompt_tokens"], 5);
  EXPECT_EQ(json["dtype"], "bfloat16");
  for (const char* content :
       {"{\"a\": 1}", "[]", "[1, -2]", "[1, 2.5]", "[4294967297]", "[1, 2"}) {
    desk.write("bad.json", content);
    const Ended bad = desk.run({"generate", "--model", model.path(),
                                "--prompt-ids", desk.file("bad.json")});
    EXPECT_EQ(bad.code, 2) << content;
    EXPECT_THAT(bad.output, HasSubstr("not a JSON list of tokens"));
  }
}

TEST(Generate, KnowsItsOwnOptions) {
  const Desk desk;
  const Ended help = desk.run({"generate", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.output, HasSubstr("--max-tokens"));
  EXPECT_THAT(help.output, HasSubstr("--repetition-penalty"));
}

TEST(Generate, SaysInOneLineWhatIsWrong) {
  const Desk desk;
  const TinyModel model;
  struct Fault {
    std::vector<std::string> arguments;
    int code;
    const char* says;
  };
  const Fault faults[] = {
      {{"--prompt", "x"}, 2, "--model"},
      {{"--model", model.path()}, 2, "prompt is empty"},
      {{"--model", "/no/such", "--prompt", "x"}, 1, "no such folder"},
      {{"--model", model.path(), "--prompt", "x", "--frobnicate"},
       2,
       "--frobnicate"},
      {{"--model", model.path(), "--prompt", "x", "--dtype", "int4"},
       2,
       "'int4' is no --dtype"},
      {{"--model", model.path(), "--prompt", "x", "--temp", "-1"},
       2,
       "temperature"},
      {{"--model", model.path(), "--prompt", "x", "--max-tokens", "0"},
       2,
       "max_tokens"},
  };
  for (const Fault& fault : faults) {
    std::vector<std::string> arguments = fault.arguments;
    arguments.insert(arguments.begin(), "generate");
    const Ended ended = desk.run(arguments);
    EXPECT_EQ(ended.code, fault.code) << fault.says;
    EXPECT_THAT(ended.output, HasSubstr(fault.says));
    EXPECT_EQ(std::count(ended.output.begin(), ended.output.end(), '\n'), 1)
        << ended.output;
  }
}

}  // namespace
}  // namespace evoke::test
