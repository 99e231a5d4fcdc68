#include "evoke/proposers/command/command_proposer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "evoke/base/atomic_file.h"
#include "evoke/base/fd.h"
#include "tests/proposers/kernels.h"
#include "tests/support/temporary_folder.h"

namespace evoke {
namespace {

class CommandProposerTest : public testing::Test {
 protected:
  CommandProposer proposer(const std::string& command, double timeout_s = 60) {
    CommandOptions options;
    options.command = command;
    options.timeout_s = timeout_s;
    options.folder = folder_.path();
    options.environment = plain_environment();
    options.facts = {{"dialect", "cpu"}};
    options.reader = kernel_file_reader(Dialect::cpu);
    return CommandProposer(options);
  }
  static ProposalRequest request() {
    ProposalRequest made;
    made.id = 12;
    made.operation = "improve";
    made.parent.candidate.id = 3;
    made.parent.candidate.text = std::string(kernels::kSplit);
    return made;
  }
  // The parent with one gene moved.
  static std::string changed() {
    std::string text(kernels::kSplit);
    const std::string from = "splits = { value = 4,";
    text.replace(text.find(from), from.size(), "splits = { value = 2,");
    return text;
  }
  test::TemporaryFolder folder_;
};

TEST_F(CommandProposerTest, ReadsTheRequestAndWritesAKernelFile) {
  auto asked = proposer(
      "cat > request.json; "
      "sed 's/.*\"text\":\"//' request.json > /dev/null; cat answer.cpp");
  ASSERT_TRUE(
      write_file_atomically(folder_.file("answer.cpp"), changed()).has_value());
  const auto proposal = asked.propose(request());
  ASSERT_TRUE(proposal.has_value()) << proposal.error().message;
  EXPECT_EQ(proposal->text, kernels::parsed(changed()).text());
  EXPECT_EQ(proposal->parents, std::vector<CandidateId>{3});
  const auto seen = read_file(folder_.file("request.json"));
  ASSERT_TRUE(seen.has_value());
  const Json json = Json::parse(*seen);
  EXPECT_EQ(json["id"], 12);
  EXPECT_EQ(json["operation"], "improve");
  EXPECT_EQ(json["parent"]["text"], std::string(kernels::kSplit));
  EXPECT_EQ(json["facts"]["dialect"], "cpu");
}

TEST_F(CommandProposerTest, SaysWhatIsWrongWithAnAnswer) {
  const auto none = proposer("true").propose(request());
  EXPECT_EQ(none.error().kind, ErrorKind::absent);
  EXPECT_NE(none.error().message.find("wrote no answer"), std::string::npos);
  const auto bad = proposer("echo nonsense").propose(request());
  EXPECT_EQ(bad.error().kind, ErrorKind::absent);
  EXPECT_NE(bad.error().message.find("answer.cpp:1"), std::string::npos)
      << bad.error().message;
  ASSERT_TRUE(write_file_atomically(folder_.file("same.cpp"), kernels::kSplit)
                  .has_value());
  const auto same = proposer("cat same.cpp").propose(request());
  EXPECT_NE(same.error().message.find("changes nothing"), std::string::npos)
      << same.error().message;
}

TEST_F(CommandProposerTest, AFailureNamesTheCommandAndItsLastWords) {
  const auto failed =
      proposer("echo out of ideas >&2; exit 3").propose(request());
  EXPECT_EQ(failed.error().kind, ErrorKind::failed);
  for (const char* part : {"out of ideas", "exit code 3", "request 12"}) {
    EXPECT_NE(failed.error().message.find(part), std::string::npos)
        << failed.error().message;
  }
}

TEST_F(CommandProposerTest, WhatTakesTooLongIsKilledWithAllItStarted) {
  const auto late =
      proposer("(sleep 1; touch alive) & sleep 100", 0.3).propose(request());
  EXPECT_EQ(late.error().kind, ErrorKind::timed_out);
  std::this_thread::sleep_for(std::chrono::milliseconds(1300));
  EXPECT_FALSE(read_file(folder_.file("alive")).has_value());
}

TEST_F(CommandProposerTest, AWithdrawnRequestEnds) {
  auto asked = proposer("touch begun; sleep 100");
  std::thread withdrawing([&] {
    while (!read_file(folder_.file("begun"))) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    asked.withdraw(12);
  });
  EXPECT_NE(asked.propose(request()).error().message.find("withdrawn"),
            std::string::npos);
  withdrawing.join();
}

TEST_F(CommandProposerTest, ARequestMayBeWithdrawnBeforeItIsMade) {
  auto asked = proposer("sleep 100");
  asked.withdraw(12);
  EXPECT_NE(asked.propose(request()).error().message.find("withdrawn"),
            std::string::npos);
}

TEST_F(CommandProposerTest, KeysAreNotInherited) {
  ::setenv("OPENAI_API_KEY", "sk-secret", 1);
  auto asked = proposer("env > environment; true");
  EXPECT_FALSE(asked.propose(request()).has_value());
  const auto seen = read_file(folder_.file("environment"));
  ASSERT_TRUE(seen.has_value());
  EXPECT_NE(seen->find("PATH="), std::string::npos);
  EXPECT_EQ(seen->find("sk-secret"), std::string::npos);
  ::unsetenv("OPENAI_API_KEY");
}

TEST_F(CommandProposerTest, RefusesToBeginWithoutACommand) {
  EXPECT_THROW(proposer(""), UsageError);
  EXPECT_THROW(proposer("true", 0), UsageError);
}

}  // namespace
}  // namespace evoke
