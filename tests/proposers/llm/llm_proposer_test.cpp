#include "evoke/proposers/llm/llm_proposer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "evoke/proposers/llm/service_client.h"
#include "tests/proposers/llm/local_service.h"
#include "tests/proposers/llm/requests.h"

namespace evoke::llm {
namespace {

using test::full_request;
using test::LocalService;
using test::says;
using test::ServiceReply;
using test::ServiceRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kGood[] = R"(IDEA: start from zero
STRATEGY: fewer-instructions
<<<<<<< SEARCH
  float total = row.sum;
=======
  float total = 0;
>>>>>>> REPLACE
)";
constexpr char kNoMatch[] = R"(IDEA: hm
<<<<<<< SEARCH
  double total = row.sum;
=======
  float total = 0;
>>>>>>> REPLACE
)";

// A proposer whose models are served by a script, and the calls it reported.
class Bench {
 public:
  explicit Bench(LocalService::Script script,
                 std::vector<std::string> models = {"m"})
      : service_(std::move(script)) {
    ServiceOptions options;
    options.base_url = service_.base_url();
    options.tries = 2;
    options.first_backoff_s = options.longest_backoff_s = 0.01;
    options.prices = PriceTable::parse("[\"m\"]\ninput = 1000\noutput = 0\n",
                                       "p.toml", PriceTable())
                         .value();
    const auto client = std::make_shared<ServiceClient>(std::move(options));
    for (const std::string& name : models) {
      options_.models.push_back({name, 1.0, {}, client});
    }
    options_.facts = test::facts();
    options_.observer = [this](const LlmCall& call) {
      const std::lock_guard lock(mutex_);
      calls_.push_back(call);
    };
  }

  LlmProposerOptions& options() { return options_; }
  LocalService& service() { return service_; }
  const std::vector<LlmCall>& calls() const { return calls_; }
  Result<Proposal> propose(const ProposalRequest& request) {
    return LlmProposer(options_).propose(request);
  }

 private:
  LocalService service_;
  std::mutex mutex_;
  std::vector<LlmCall> calls_;
  LlmProposerOptions options_;
};

TEST(LlmProposer, ProposesWhatTheModelAnswers) {
  Bench bench([](const auto&, int) { return says(kGood, 2000, 50); });
  const auto proposal = bench.propose(full_request("improve"));
  ASSERT_TRUE(proposal) << proposal.error().message;
  EXPECT_THAT(proposal->text, HasSubstr("float total = 0;"));
  EXPECT_EQ(proposal->operation, "improve");
  EXPECT_EQ(proposal->proposer, "llm:m");
  EXPECT_EQ(proposal->summary, "start from zero");
  EXPECT_THAT(proposal->strategies, ElementsAre("fewer-instructions"));
  EXPECT_THAT(proposal->parents, ElementsAre(1));
  EXPECT_DOUBLE_EQ(proposal->cost.usd.value(), 2.0);
  EXPECT_GT(proposal->cost.seconds, 0);

  ASSERT_EQ(bench.calls().size(), 1U);
  const LlmCall& call = bench.calls()[0];
  EXPECT_EQ(call.proposal, 40);
  EXPECT_EQ(call.attempt, 1);
  EXPECT_EQ(call.model, "m");
  EXPECT_EQ(call.operation, "improve");
  EXPECT_EQ(call.answer, kGood);
  EXPECT_EQ(call.usage.prompt_tokens, 2000);
  EXPECT_EQ(call.cost_usd, 2.0);
  EXPECT_EQ(call.finish_reason, "stop");
  EXPECT_EQ(call.refusal + call.error, "");
  // What is kept is what was sent.
  const Json sent = bench.service().requests()[0].json();
  ASSERT_EQ(call.messages.size(), sent["messages"].size());
  EXPECT_EQ(call.messages[1].content, sent["messages"][1]["content"]);
}

TEST(LlmProposer, TellsTheModelWhyAnAnswerIsRefused) {
  Bench bench([](const ServiceRequest& request, int number) {
    if (number == 0) return says(kNoMatch, 1000);
    const Json messages = request.json()["messages"];
    EXPECT_EQ(messages.size(), 4U);
    EXPECT_EQ(messages[2]["role"], "assistant");
    EXPECT_THAT(messages[3]["content"].get<std::string>(),
                HasSubstr("block 1: SEARCH does not stand in the file"));
    return says(kGood, 1000);
  });
  const auto proposal = bench.propose(full_request("improve"));
  ASSERT_TRUE(proposal) << proposal.error().message;
  EXPECT_DOUBLE_EQ(proposal->cost.usd.value(), 2.0);  // of both rounds
  ASSERT_EQ(bench.calls().size(), 2U);
  EXPECT_THAT(bench.calls()[0].refusal, HasSubstr("does not stand"));
  EXPECT_EQ(bench.calls()[1].round, 1);
  EXPECT_EQ(bench.calls()[1].refusal, "");
}

TEST(LlmProposer, GivesUpAfterOneCorrection) {
  Bench bench([](const auto&, int) { return says(kNoMatch); });
  const auto proposal = bench.propose(full_request("improve"));
  ASSERT_FALSE(proposal);
  EXPECT_EQ(proposal.error().kind, ErrorKind::absent);
  EXPECT_THAT(proposal.error().message, HasSubstr("does not stand"));
  EXPECT_EQ(bench.service().count(), 2);
}

TEST(LlmProposer, RefusesWhatCanBeKnownBeforeCompiling) {
  // Forbidden text, a shape without a variant, a tensor that is none.
  for (const auto& [answer, message] : std::map<std::string, std::string>{
           {"<<<<<<< SEARCH\n  float total = row.sum;\n=======\n  float total "
            "= __builtin_ia32_rdtsc();\n>>>>>>> REPLACE\n",
            "refused"},
           {"<<<<<<< SEARCH\nname = \"any\"\n=======\nname = \"any\"\nwhen = "
            "\"Lq > 100\"\n>>>>>>> REPLACE\n",
            "no variant takes shape"},
           {"<<<<<<< SEARCH\nkernel = \"one_pass\"\nreads = [\"query\", "
            "\"key\", \"value\"]\n=======\nkernel = \"one_pass\"\nreads = "
            "[\"qwery\"]\n>>>>>>> REPLACE\n",
            "qwery"}}) {
    Bench bench([&](const auto&, int) { return says(answer); });
    const auto proposal = bench.propose(full_request("improve"));
    ASSERT_FALSE(proposal) << answer;
    EXPECT_THAT(proposal.error().message, HasSubstr(message));
  }
}

TEST(LlmProposer, SaysWhenAnAnswerWasCutOff) {
  Bench bench([](const auto&, int) {
    ServiceReply reply =
        says("<<<<<<< SEARCH\n  float total = row.sum;\n=======\n  flo");
    Json body = Json::parse(reply.body);
    body["choices"][0]["finish_reason"] = "length";
    reply.body = body.dump();
    return reply;
  });
  const auto proposal = bench.propose(full_request("improve"));
  ASSERT_FALSE(proposal);
  EXPECT_THAT(proposal.error().message, HasSubstr("cut off"));
}

TEST(LlmProposer, RepairsTheFailedFile) {
  ProposalRequest request = full_request("repair");
  std::string& failed = request.failed->candidate.text;
  failed.replace(failed.find("row.sum;"), 8, "row.summ;");
  Bench bench([](const ServiceRequest& asked, int) {
    EXPECT_THAT(asked.json()["messages"][1]["content"].get<std::string>(),
                HasSubstr("# Why it failed"));
    return says(
        "IDEA: spell it right, and add one\n<<<<<<< SEARCH\n  float total = "
        "row.summ;\n=======\n  float total = row.sum + 1;\n>>>>>>> REPLACE\n");
  });
  const auto proposal = bench.propose(request);
  ASSERT_TRUE(proposal) << proposal.error().message;
  EXPECT_EQ(proposal->operation, "repair");
  EXPECT_THAT(proposal->parents, ElementsAre(1, 12));
  EXPECT_THAT(proposal->text, HasSubstr("row.sum + 1;"));
}

TEST(LlmProposer, ACrossoverNamesBothParents) {
  Bench bench([](const auto&, int) { return says(kGood); });
  const auto proposal = bench.propose(full_request("crossover"));
  ASSERT_TRUE(proposal) << proposal.error().message;
  EXPECT_THAT(proposal->parents, ElementsAre(1, 7));
}

TEST(LlmProposer, GivesWayToAnOperationThatIsAllowed) {
  Bench bench([](const auto&, int) { return says(kGood); });
  ProposalRequest request = full_request("");
  request.failed.reset();
  request.inspirations.clear();
  std::map<std::string, int> chosen;
  for (const char* asked : {"", "repair", "crossover", "step"}) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      request.operation = asked;
      request.rng_seed = seed;
      const auto proposal = bench.propose(request);
      ASSERT_TRUE(proposal) << proposal.error().message;
      ++chosen[proposal->operation];
    }
  }
  EXPECT_FALSE(chosen.contains("repair"));
  EXPECT_FALSE(chosen.contains("crossover"));
  EXPECT_GT(chosen["improve"], chosen["simplify"]);
}

TEST(LlmProposer, AsksTheModelThatIsNamedOrDrawsByWeight) {
  Bench bench([](const auto&, int) { return says(kGood); },
              {"one", "two", "never"});
  bench.options().models[0].weight = 3;
  bench.options().models[2].weight = 0;
  EXPECT_THAT(LlmProposer(bench.options()).arms(),
              ElementsAre("llm:one", "llm:two", "llm:never"));
  ProposalRequest request = full_request("improve");
  for (const char* name : {"llm:two", "llm:never"}) {
    request.proposer = name;
    EXPECT_EQ(bench.propose(request)->proposer, name);
  }
  request.proposer = "llm:unknown";
  const auto unknown = bench.propose(request);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("llm:unknown"));
  request.proposer = "";
  std::map<std::string, int> drawn;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    request.rng_seed = seed;
    ++drawn[bench.propose(request)->proposer];
  }
  EXPECT_FALSE(drawn.contains("llm:never"));
  EXPECT_GT(drawn["llm:one"], drawn["llm:two"]);
  EXPECT_GT(drawn["llm:two"], 0);
}

TEST(LlmProposer, SendsEachModelItsOwnParameters) {
  Bench bench([](const auto&, int) { return says(kGood); }, {"one", "two"});
  bench.options().models[0].parameters.temperature = 0.25;
  bench.options().models[1].parameters.reasoning_effort = "high";
  ProposalRequest request = full_request("improve");
  for (const char* name : {"llm:one", "llm:two"}) {
    request.proposer = name;
    ASSERT_TRUE(bench.propose(request));
  }
  const auto seen = bench.service().requests();
  EXPECT_EQ(seen[0].json()["temperature"], 0.25);
  EXPECT_FALSE(seen[0].json().contains("reasoning_effort"));
  EXPECT_EQ(seen[1].json()["reasoning_effort"], "high");
  EXPECT_FALSE(seen[1].json().contains("temperature"));
}

TEST(LlmProposer, IsSafeFromManyThreads) {
  Bench bench([](const ServiceRequest& request, int) {
    // The answer depends on the question, so mixed-up answers would show.
    const std::string asked =
        request.json()["messages"][1]["content"].get<std::string>();
    const std::size_t at = asked.find("row.sum + ");
    const std::string line = asked.substr(at, asked.find(';', at) - at);
    return says("IDEA: " + line + "\n<<<<<<< SEARCH\n  float total = " + line +
                ";\n=======\n  float total = 2 * (" + line +
                ");\n>>>>>>> REPLACE\n");
  });
  LlmProposer proposer(bench.options());
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        ProposalRequest request = full_request("improve");
        const std::string line = "row.sum + " + std::to_string(100 * t + i);
        std::string& text = request.parent.candidate.text;
        text.replace(text.find("row.sum;"), 8, line + ";");
        const auto proposal = proposer.propose(request);
        if (proposal && proposal->summary == line) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
  EXPECT_EQ(bench.calls().size(), 40U);
}

TEST(LlmProposer, PassesServiceErrorsOn) {
  Bench bench([](const auto&, int) { return test::complains(401, "bad key"); });
  const auto proposal = bench.propose(full_request("improve"));
  ASSERT_FALSE(proposal);
  EXPECT_EQ(proposal.error().kind, ErrorKind::failed);
  EXPECT_THAT(proposal.error().message, HasSubstr("bad key"));
  ASSERT_EQ(bench.calls().size(), 1U);
  EXPECT_EQ(bench.calls()[0].error_kind, "refused");
  EXPECT_EQ(bench.calls()[0].answer, "");
}

TEST(LlmProposer, StopsWhenTold) {
  Bench bench([](const auto&, int) { return says(kGood); });
  bench.options().stop = [] { return true; };
  const auto proposal = bench.propose(full_request("improve"));
  ASSERT_FALSE(proposal);
  EXPECT_EQ(proposal.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(bench.service().count(), 0);
}

TEST(LlmProposer, WantsModels) {
  Bench bench([](const auto&, int) { return says(kGood); }, {"one", "two"});
  LlmProposerOptions options = bench.options();
  options.models[1].name = "one";
  EXPECT_THROW(LlmProposer{options}, UsageError);
  options = bench.options();
  for (LlmModel& model : options.models) model.weight = 0;
  EXPECT_THROW(LlmProposer{options}, UsageError);
  options.models.clear();
  EXPECT_THROW(LlmProposer{options}, UsageError);
}

}  // namespace
}  // namespace evoke::llm
