// Runs with language models, over HTTP from a service on this machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/e2e/program.h"
#include "tests/proposers/llm/local_service.h"

namespace evoke::test {
namespace {

using llm::test::LocalService;
using llm::test::ServiceReply;
using llm::test::ServiceRequest;
using testing::HasSubstr;

constexpr double kUsdEach = 0.01;  // at the tokens and prices below

// A change that compiles, is right, and is another one each time.
ServiceReply answer(int number) {
  const std::string n = std::to_string(number);
  return llm::test::says("IDEA: constant " + n +
                             "\nSTRATEGY: tile-shape\nRISK: none\n\n"
                             "<<<<<<< SEARCH\n// EVOLVE-BLOCK-START\n=======\n"
                             "// EVOLVE-BLOCK-START\n[[maybe_unused]] "
                             "constexpr int kIdea" +
                             n + " = " + n + ";\n>>>>>>> REPLACE\n",
                         2000, 0);
}

class LlmRun : public testing::Test {
 protected:
  LlmRun()
      : service_([this](const ServiceRequest&, int) {
          return refusing_ ? llm::test::complains(401, "no such key")
                           : answer(++answers_);
        }) {
    // A prompt of 2,000 tokens by the service's count, twice that by ours.
    desk_.write("llm.toml",
                "max_concurrency = 1\n[[service]]\nname = \"local\"\n"
                "base_url = \"" +
                    service_.base_url() +
                    "\"\n[[model]]\nname = \"m\"\nmax_tokens = 100\n");
  }

  std::vector<std::string> search(const std::string& proposer, int iterations) {
    auto arguments = desk_.small_search("run", iterations);
    arguments.insert(arguments.end(),
                     {EVOKE_KERNELS "/attention/cpu/three_pass.cpp",
                      "--proposer", proposer, "--llm", "llm.toml"});
    return arguments;
  }
  static void add(std::vector<std::string>& to,
                  std::initializer_list<std::string> more) {
    to.insert(to.end(), more);
  }
  Json fact(const std::string& name) {
    const Ended out =
        desk_.run({"export", "run", "--format", "json", "-o", "run.jsonl"});
    EXPECT_EQ(out.code, 0) << out.output;
    std::ifstream file(desk_.file("run.jsonl"));
    std::string line;
    std::getline(file, line);
    return Json::parse(line)["facts"].value(name, Json());
  }

  Desk desk_;
  std::atomic<int> answers_{0};
  std::atomic<bool> refusing_{false};
  LocalService service_;
};

TEST_F(LlmRun, EndsInOrderWhenTheMoneyIsSpent) {
  auto arguments = search("llm", 100);
  add(arguments, {"--llm-price", "m=5,0", "--llm-budget-usd", "0.06"});
  const Ended ended = desk_.run(arguments);
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_THAT(ended.output,
              HasSubstr("the budget for language models is used up"));
  EXPECT_EQ(fact("finished")["reason"], "no proposer left");
  EXPECT_GE(answers_, 1);
  EXPECT_LE(answers_ * kUsdEach, 0.06);
  const int before = answers_;

  // What was spent counts: a greater budget buys what it is greater by.
  const Ended more =
      desk_.run({"evolve", "--resume", "run", "--llm-budget-usd", "0.08"});
  EXPECT_EQ(more.code, 0) << more.output;
  EXPECT_THAT(more.output, HasSubstr("of 0.0800 USD spent"));
  EXPECT_GT(answers_, before);
  EXPECT_LE(answers_ * kUsdEach, 0.08);
}

TEST_F(LlmRun, GoesOnWithParametersWhenTheMoneyIsSpent) {
  auto arguments = search("parameters,llm", 10);
  add(arguments, {"--llm-price", "m=5,0", "--llm-budget-usd", "0.03"});
  const Ended ended = desk_.run(arguments);
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_THAT(ended.output,
              HasSubstr("the budget for language models is used up"));
  EXPECT_EQ(fact("finished")["reason"], "iterations");
  EXPECT_LE(answers_ * kUsdEach, 0.03);
}

TEST_F(LlmRun, FailsWhenTheServiceRefusesEverything) {
  refusing_ = true;
  const Ended ended = desk_.run(search("llm", 100));
  EXPECT_EQ(ended.code, 1) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("HTTP 401: no such key"));
  EXPECT_THAT(ended.output, HasSubstr("go on with evoke evolve --resume"));
  EXPECT_EQ(fact("finished")["reason"], "infrastructure");
}

TEST_F(LlmRun, RefusesABudgetWithoutAPriceBeforeItBegins) {
  auto arguments = search("llm", 3);
  add(arguments, {"--llm-budget-usd", "1"});
  const Ended ended = desk_.run(arguments);
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output, HasSubstr("--llm-price m=INPUT,OUTPUT"));
  EXPECT_FALSE(std::filesystem::exists(desk_.file("run")));
  EXPECT_EQ(answers_, 0);
}

TEST_F(LlmRun, AsksWithTheUsersPrompts) {
  const Ended written = desk_.run({"evolve", "--write-prompts", "prompts"});
  ASSERT_EQ(written.code, 0) << written.output;
  std::ifstream built_in(desk_.file("prompts/system.txt"));
  const std::string system{std::istreambuf_iterator<char>(built_in), {}};
  std::filesystem::remove_all(desk_.file("prompts"));
  std::filesystem::create_directory(desk_.file("prompts"));
  desk_.write("prompts/system.txt", "Be brief, and mind the bells.\n" + system);

  auto arguments = search("llm", 1);
  add(arguments, {"--prompts", "prompts"});
  const Ended ended = desk_.run(arguments);
  ASSERT_EQ(ended.code, 0) << ended.output;
  const auto requests = service_.requests();
  ASSERT_FALSE(requests.empty());
  EXPECT_EQ(
      requests[0].json()["messages"][0]["content"].get<std::string>().find(
          "Be brief, and mind the bells.\n"),
      0U);

  desk_.write("prompts/system.txt", "{{no_such_value}}\n");
  auto broken = search("llm", 1);
  add(broken, {"--prompts", "prompts"});
  const Ended refused = desk_.run(broken);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.output, HasSubstr("system.txt:1: unknown name"));
}

}  // namespace
}  // namespace evoke::test
