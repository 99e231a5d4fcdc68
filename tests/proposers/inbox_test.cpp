// The inbox: tasks, answers, submissions, and what survives a kill.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <future>
#include <thread>

#include "evoke/proposers/inbox/inbox_proposer.h"
#include "tests/proposers/kernels.h"
#include "tests/support/temporary_folder.h"

namespace evoke::inbox {
namespace {

using namespace std::chrono_literals;

std::string moved(int splits) {
  std::string text(kernels::kSplit);
  const std::string from = "splits = { value = 4,";
  text.replace(text.find(from), from.size(),
               "splits = { value = " + std::to_string(splits) + ",");
  return text;
}

ProposalRequest request(CandidateId id) {
  ProposalRequest made;
  made.id = id;
  made.operation = "improve";
  made.parent.candidate.id = 3;
  made.parent.candidate.text = std::string(kernels::kSplit);
  made.parent.candidate.genome_hash = "parent";
  return made;
}

Step step_of(CandidateId id) {
  Step step;
  step.candidate.id = step.outcome.candidate = id;
  step.outcome.kind = OutcomeKind::measured;
  step.outcome.fitness = Fitness{1.5, 1.4, 1.6};
  return step;
}

class InboxTest : public testing::Test {
 protected:
  InboxTest() : files_(folder_.path()) { open(); }
  void open() {
    InboxOptions options;
    options.run = folder_.path();
    options.facts = {{"dialect", "cpu"}};
    options.prompt = [](const ProposalRequest& asked) {
      return "prompt of " + std::to_string(asked.id);
    };
    options.reader = kernel_file_reader(Dialect::cpu);
    options.poll_ms = 5;
    options.orphan_ms = 30;
    inbox_ = std::make_unique<InboxProposer>(options);
  }
  Task wait_for_task(const std::string& name) {
    for (;;) {
      if (auto task = files_.task(name)) return *std::move(task);
      std::this_thread::sleep_for(2ms);
    }
  }
  Receipt wait_for_receipt(const std::string& name, State state) {
    for (;;) {
      const auto receipt = files_.receipt(name);
      if (receipt && receipt->state == state) return *receipt;
      std::this_thread::sleep_for(2ms);
    }
  }
  Proposal wait_for_submission() {
    for (;;) {
      if (auto proposal = inbox_->take()) return *std::move(proposal);
      std::this_thread::sleep_for(2ms);
    }
  }
  test::TemporaryFolder folder_;
  Files files_;
  std::unique_ptr<InboxProposer> inbox_;
};

TEST_F(InboxTest, ATaskIsAskedAnsweredAndGetsItsReceipt) {
  auto proposal = std::async([&] { return inbox_->propose(request(12)); });
  const Task task = wait_for_task("12");
  EXPECT_EQ(task.prompt, "prompt of 12");
  EXPECT_EQ(task.request["facts"]["dialect"], "cpu");
  EXPECT_EQ(request_of(task).parent.candidate.text,
            std::string(kernels::kSplit));
  ASSERT_TRUE(files_.write_answer("12", {task.key, moved(2), "by hand"}));
  const auto answered = proposal.get();
  ASSERT_TRUE(answered.has_value()) << answered.error().message;
  EXPECT_EQ(answered->text, kernels::parsed(moved(2)).text());
  EXPECT_EQ(answered->summary, "by hand");
  EXPECT_EQ(answered->proposer, "inbox");
  EXPECT_TRUE(files_.tasks().empty());
  EXPECT_EQ(files_.receipt("12")->state, State::judging);
  EXPECT_EQ(files_.answers().size(), 1U) << "kept until it is recorded";
  inbox_->recorded(step_of(12));
  const auto receipt = files_.receipt("12");
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->state, State::judged);
  EXPECT_EQ(receipt->fitness->value, 1.5);
  EXPECT_TRUE(files_.answers().empty());
}

TEST_F(InboxTest, AnAnswerThatDoesNotParseLeavesTheTaskOpen) {
  auto proposal = std::async([&] { return inbox_->propose(request(12)); });
  const Task task = wait_for_task("12");
  ASSERT_TRUE(files_.write_answer("12", {task.key, "nonsense", ""}));
  EXPECT_NE(wait_for_receipt("12", State::refused).message.find("answer.cpp"),
            std::string::npos);
  ASSERT_TRUE(
      files_.write_answer("12", {task.key, std::string(kernels::kSplit), ""}));
  while (files_.receipt("12")->message.find("changes nothing") ==
         std::string::npos) {
    std::this_thread::sleep_for(2ms);
  }
  std::ofstream(files_.folder() + "/12.answer.json") << "{ torn";
  while (files_.receipt("12")->message.find("not a JSON") ==
         std::string::npos) {
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_EQ(files_.tasks().size(), 1U);
  // By hand, without a key, as OpenEvolve's queue has it.
  std::ofstream(files_.folder() + "/x")
      << Json{{"id", "12"}, {"answer", moved(2)}};
  std::filesystem::rename(files_.folder() + "/x",
                          files_.folder() + "/12.answer.json");
  EXPECT_TRUE(proposal.get().has_value());
}

TEST_F(InboxTest, AWithdrawnTaskIsGone) {
  auto proposal = std::async([&] { return inbox_->propose(request(12)); });
  wait_for_task("12");
  inbox_->withdraw(12);
  inbox_->withdraw(13);
  EXPECT_FALSE(proposal.get().has_value());
  EXPECT_TRUE(files_.tasks().empty());
}

// Threads ask; whoever withdraws may be quicker than they are.
TEST_F(InboxTest, ATaskMayBeWithdrawnBeforeItIsAsked) {
  inbox_->withdraw(12);
  EXPECT_FALSE(inbox_->propose(request(12)).has_value());
  EXPECT_TRUE(files_.tasks().empty());
}

TEST_F(InboxTest, SubmissionsAreTakenRefusedOrKeptForLater) {
  EXPECT_FALSE(inbox_->take().has_value());
  ASSERT_TRUE(files_.write_submission("a", {"", moved(2), "mine"}));
  ASSERT_TRUE(files_.write_submission("b", {"", "nonsense", ""}));
  Proposal proposal = wait_for_submission();
  EXPECT_EQ(proposal.summary, "mine");
  EXPECT_EQ(proposal.operation, "submit");
  inbox_->settle(absent("no room just now"));
  proposal = wait_for_submission();
  EXPECT_EQ(proposal.summary, "mine") << "it comes again";
  inbox_->settle(CandidateId{40});
  EXPECT_EQ(files_.receipt("a")->candidate, 40);
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(inbox_->take().has_value());
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_EQ(files_.receipt("b")->state, State::refused);
  inbox_->recorded(step_of(40));
  EXPECT_EQ(files_.receipt("a")->state, State::judged);
  EXPECT_TRUE(files_.submissions().empty());

  ASSERT_TRUE(files_.write_submission("c", {"", moved(1), ""}));
  wait_for_submission();
  inbox_->settle(failed("the same genome as candidate 7"));
  EXPECT_EQ(files_.receipt("c")->message, "the same genome as candidate 7");
  EXPECT_TRUE(files_.submissions().empty());
}

// Killed between taking an answer in and recording its outcome.
TEST_F(InboxTest, AResumedRunTakesTheAnswerAgain) {
  auto proposal = std::async([&] { return inbox_->propose(request(12)); });
  const Task task = wait_for_task("12");
  ASSERT_TRUE(files_.write_answer("12", {task.key, moved(2), ""}));
  ASSERT_TRUE(proposal.get().has_value());
  open();
  EXPECT_TRUE(inbox_->propose(request(12)).has_value());
}

TEST_F(InboxTest, AnAnswerWhoseTaskIsNotAskedAgainIsASubmission) {
  ASSERT_TRUE(files_.write_answer("12", {"key", moved(2), "late"}));
  EXPECT_EQ(wait_for_submission().summary, "late");
  inbox_->settle(CandidateId{30});
  inbox_->recorded(step_of(30));
  EXPECT_EQ(files_.receipt("12")->candidate, 30);
  EXPECT_TRUE(files_.answers().empty());
}

TEST_F(InboxTest, AnAnswerToAnEarlierTaskOfThatNumberIsKept) {
  auto proposal = std::async([&] { return inbox_->propose(request(12)); });
  const Task task = wait_for_task("12");
  ASSERT_TRUE(files_.write_answer("12", {"another key", moved(8), "old"}));
  EXPECT_EQ(wait_for_submission().summary, "old");
  ASSERT_TRUE(files_.write_answer("12", {task.key, moved(2), "new"}));
  EXPECT_EQ(proposal.get()->summary, "new");
}

TEST_F(InboxTest, TasksOfAnEarlierProcessAreRemoved) {
  ASSERT_TRUE(files_.write(make_task(request(5), {}, "old")));
  open();
  EXPECT_TRUE(files_.tasks().empty());
}

}  // namespace
}  // namespace evoke::inbox
