#include "evoke/proposers/proposer_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>

namespace evoke {
namespace {

using namespace std::chrono_literals;

class Instant : public Proposer {
 public:
  std::string name() const override { return "instant"; }
  Result<Proposal> propose(const ProposalRequest& request) override {
    thread = std::this_thread::get_id();
    return Proposal{"text" + std::to_string(request.id), {}, "", ""};
  }
  std::thread::id thread;
};

// Answers when it is told to, or when its request is withdrawn.
class Held : public Proposer {
 public:
  std::string name() const override { return "held"; }
  Result<Proposal> propose(const ProposalRequest& request) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    most_ = std::max(most_, waiting_);
    changed_.notify_all();
    changed_.wait(lock, [&] {
      return released_.contains(request.id) || withdrawn_.contains(request.id);
    });
    --waiting_;
    if (withdrawn_.contains(request.id)) return failed("withdrawn");
    if (request.operation == "throw") throw std::runtime_error("a bug");
    return Proposal{"held" + std::to_string(request.id), {}, "", ""};
  }
  void withdraw(CandidateId id) override {
    const std::lock_guard lock(mutex_);
    withdrawn_.insert(id);
    changed_.notify_all();
  }
  void release(CandidateId id) {
    const std::lock_guard lock(mutex_);
    released_.insert(id);
    changed_.notify_all();
  }
  void wait_for(int waiting) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= waiting; });
  }
  int most() {
    const std::lock_guard lock(mutex_);
    return most_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<CandidateId> released_;
  std::set<CandidateId> withdrawn_;
  int waiting_ = 0;
  int most_ = 0;
};

ProposalRequest request(CandidateId id, const std::string& proposer) {
  ProposalRequest made;
  made.id = id;
  made.proposer = proposer;
  return made;
}

ProposalAnswer next_answer(ProposerPool& pool) {
  for (;;) {
    if (auto answer = pool.take()) return *std::move(answer);
    std::this_thread::sleep_for(1ms);
  }
}

TEST(ProposerPool, WhoAnswersAtOnceDoesSoOnTheCallersThread) {
  Instant instant;
  ProposerPool pool;
  pool.add(instant, 0);
  pool.submit(request(7, "instant"));
  const auto answer = pool.take();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->id, 7);
  EXPECT_EQ(answer->proposal->text, "text7");
  EXPECT_EQ(answer->cost, ProposalCost());
  EXPECT_EQ(instant.thread, std::this_thread::get_id());
  EXPECT_FALSE(pool.take().has_value());
}

TEST(ProposerPool, ASlowOneHoldsUpNobodyAndIsBounded) {
  Instant instant;
  Held held;
  ProposerPool pool;
  pool.add(instant, 0);
  pool.add(held, 2);
  std::atomic<int> wakes{0};
  pool.on_arrival([&] { ++wakes; });
  for (const CandidateId id : {1, 2, 3}) pool.submit(request(id, "held:model"));
  held.wait_for(2);
  pool.submit(request(4, "instant"));
  EXPECT_EQ(next_answer(pool).id, 4);
  held.release(2);
  EXPECT_EQ(next_answer(pool).id, 2);
  held.release(3);
  held.release(1);
  std::set<CandidateId> rest{next_answer(pool).id, next_answer(pool).id};
  EXPECT_EQ(rest, (std::set<CandidateId>{1, 3}));
  EXPECT_EQ(held.most(), 2);
  while (wakes < 3) std::this_thread::sleep_for(1ms);
}

TEST(ProposerPool, WhatIsWithdrawnIsNotDelivered) {
  Held held;
  ProposerPool pool;
  pool.add(held, 1);
  pool.submit(request(1, "held"));
  pool.submit(request(2, "held"));
  held.wait_for(1);
  pool.withdraw(1);
  pool.withdraw(99);
  held.release(2);
  EXPECT_EQ(next_answer(pool).id, 2);
  EXPECT_FALSE(pool.take().has_value());
}

TEST(ProposerPool, AnExceptionIsAnAnswer) {
  Held held;
  ProposerPool pool;
  pool.add(held, 1);
  auto asked = request(1, "held");
  asked.operation = "throw";
  pool.submit(asked);
  held.release(1);
  const auto answer = next_answer(pool);
  ASSERT_FALSE(answer.proposal.has_value());
  EXPECT_EQ(answer.proposal.error().message, "held: a bug");
}

TEST(ProposerPool, CallsOfModelsAreKeptAndPriced) {
  Held held;
  ProposerPool pool;
  pool.add(held, 1);
  const auto observer = pool.observer();
  pool.submit(request(1, "held"));
  pool.submit(request(2, "held"));
  held.wait_for(1);
  LlmCall call;
  call.proposal = 1;
  call.cost_usd = 0.25;
  observer(call);
  observer(call);
  call.proposal = 2;
  call.cost_usd.reset();
  observer(call);
  held.release(1);
  held.release(2);
  EXPECT_EQ(next_answer(pool).cost.usd, 0.5);
  EXPECT_FALSE(next_answer(pool).cost.usd.has_value());
  EXPECT_EQ(pool.take_calls().size(), 3U);
  EXPECT_TRUE(pool.take_calls().empty());
}

TEST(ProposerPool, ItsEndWithdrawsWhatIsInFlight) {
  Held held;
  auto pool = std::make_unique<ProposerPool>();
  pool->add(held, 2);
  for (const CandidateId id : {1, 2, 3}) pool->submit(request(id, "held"));
  held.wait_for(2);
  pool.reset();  // returns
}

TEST(ProposerPool, SaysOnceWhoIsExhausted) {
  Instant instant;
  bool used_up = false;
  ProposerPool pool;
  pool.add(instant, 0, [&] { return used_up; });
  EXPECT_TRUE(pool.take_exhausted().empty());
  used_up = true;
  EXPECT_EQ(pool.take_exhausted(), std::vector<std::string>{"instant"});
  EXPECT_TRUE(pool.take_exhausted().empty());
}

TEST(ProposerPool, MisuseIsRefused) {
  Instant instant;
  ProposerPool pool;
  pool.add(instant, 0);
  EXPECT_THROW(pool.add(instant, 0), UsageError);
  EXPECT_THROW(pool.submit(request(1, "nobody")), UsageError);
}

}  // namespace
}  // namespace evoke
