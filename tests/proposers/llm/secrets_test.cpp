// The key is looked for everywhere it could have gone: prompts, kept calls,
// errors, notices, logs, configuration, candidates and children.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/base/log.h"
#include "evoke/base/subprocess.h"
#include "evoke/proposers/llm/llm_config.h"
#include "tests/proposers/llm/local_service.h"
#include "tests/proposers/llm/requests.h"
#include "tests/support/temporary_folder.h"

namespace evoke::llm {
namespace {

using test::LocalService;
using test::ServiceReply;
using test::ServiceRequest;
using testing::HasSubstr;
using testing::Not;

constexpr char kKey[] = "sk-very-secret-0123456789";

std::string everything_of(const LlmCall& call) {
  std::string text = call.model + call.operation + call.started + call.answer +
                     call.finish_reason + call.error_kind + call.error +
                     call.refusal;
  for (const LlmMessage& message : call.messages) {
    text += message.role + message.content;
  }
  return text;
}

TEST(Secrets, StayInOneHeader) {
  const evoke::test::TemporaryFolder folder;
  add_log_file(folder.file("log"));
  ::setenv("EVOKE_TEST_KEY", kKey, 1);
  // A service that repeats the key in all it says: an error, an answer that is
  // of no use, and one that is.
  LocalService service([](const ServiceRequest& request, int number) {
    const std::string key = request.headers.at("authorization");
    if (number == 0) return test::complains(500, "debug: " + key);
    if (number == 1) {
      return test::says("You sent " + key + " and I do not know how to help.");
    }
    return test::says("IDEA: print " + key +
                      "\n<<<<<<< SEARCH\n  float total = row.sum;\n=======\n"
                      "  float total = 0;  // " +
                      key + "\n>>>>>>> REPLACE\n");
  });
  auto config = llm_config_from_toml(
                    "[[service]]\nname = \"local\"\nkey_variable = "
                    "\"EVOKE_TEST_KEY\"\nbase_url = \"" +
                        service.base_url() + "\"\n[[model]]\nname = \"m\"\n",
                    "llm.toml")
                    .value();
  std::string seen = to_toml(config);
  std::mutex mutex;
  const auto see = [&](const std::string& text) {
    const std::lock_guard lock(mutex);
    seen += text + "\n";
  };
  auto ensemble = open_ensemble(config, 0, [&](const std::string& text) {
    log_warn(text);
    see(text);
  });
  ASSERT_TRUE(ensemble) << ensemble.error().message;

  LlmProposerOptions options;
  options.models = ensemble->models;
  options.facts = test::facts();
  options.observer = [&](const LlmCall& call) {
    see(everything_of(call));
    log_warn("refused: " + call.refusal);
  };
  LlmProposer proposer(options);
  // The key has got into what a prompt is made of, too.
  ProposalRequest request = test::full_request("improve");
  request.parent.candidate.summary = std::string("built with ") + kKey;
  request.failed_siblings[0].outcome.message = std::string("env: ") + kKey;
  const auto proposal = proposer.propose(request);
  ASSERT_TRUE(proposal) << proposal.error().message;
  see(proposal->text + proposal->summary);
  log_warn("proposed: " + proposal->summary);
  EXPECT_THAT(proposal->text, HasSubstr("// Bearer [key]"));

  // What the kernel's compilers and runners inherit.
  SubprocessOptions child;
  child.arguments = {"/usr/bin/env"};
  auto process = Subprocess::start(child).value();
  ASSERT_TRUE(process.wait(60'000));
  seen += process.output();

  ::unsetenv("EVOKE_TEST_KEY");
  EXPECT_THAT(seen, Not(HasSubstr(kKey)));
  EXPECT_THAT(read_file(folder.file("log")).value_or(""), Not(HasSubstr(kKey)));
  EXPECT_THAT(read_file(folder.file("log")).value_or(""), HasSubstr("[key]"));
  for (const ServiceRequest& each : service.requests()) {
    EXPECT_THAT(each.headers.at("authorization"), HasSubstr(kKey));
    EXPECT_THAT(each.line + each.body, Not(HasSubstr(kKey)));
  }
  EXPECT_EQ(service.count(), 3);
}

}  // namespace
}  // namespace evoke::llm
