#include "evoke/proposers/proposer_pool.h"

#include <exception>
#include <utility>

#include "evoke/base/clock.h"

namespace evoke {

ProposerPool::~ProposerPool() {
  std::vector<std::pair<Proposer*, CandidateId>> in_flight;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_ = {};
    for (const auto& [name, member] : members_) {
      member->waiting.clear();
      for (const CandidateId id : member->asked) {
        in_flight.emplace_back(member->proposer, id);
      }
    }
  }
  for (const auto& [name, member] : members_) member->changed.notify_all();
  for (const auto& [proposer, id] : in_flight) proposer->withdraw(id);
  for (const auto& [name, member] : members_) {
    for (std::thread& thread : member->threads) thread.join();
  }
}

void ProposerPool::add(Proposer& proposer, int in_flight,
                       std::function<bool()> exhausted) {
  auto member = std::make_unique<Member>();
  member->proposer = &proposer;
  member->exhausted = std::move(exhausted);
  Member& added = *member;
  if (!members_.emplace(proposer.name(), std::move(member)).second) {
    throw UsageError("[ProposerPool::add] there is a proposer '" +
                     proposer.name() + "' already. Name each once.");
  }
  for (int i = 0; i < in_flight; ++i) {
    added.threads.emplace_back([this, &added] { work(added); });
  }
}

LlmCallObserver ProposerPool::observer() {
  return [this](const LlmCall& call) {
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(call);
      if (call.cost_usd) {
        spent_usd_[call.proposal] += *call.cost_usd;
      } else {
        unpriced_.insert(call.proposal);
      }
    }
    wake();
  };
}

ProposerPool::Member& ProposerPool::member_of(const ProposalRequest& request) {
  const std::string& source = request.proposer;
  const auto found = members_.find(source.substr(0, source.find(':')));
  if (found != members_.end()) return *found->second;
  throw UsageError("[ProposerPool::submit] no proposer '" + source +
                   "'. Add it before the search begins.");
}

ProposalAnswer ProposerPool::ask(Proposer& proposer,
                                 const ProposalRequest& request) {
  ProposalAnswer answer;
  answer.id = request.id;
  try {
    answer.proposal = proposer.propose(request);
  } catch (const std::exception& error) {
    answer.proposal = failed(proposer.name() + ": " + error.what());
  }
  return answer;
}

void ProposerPool::submit(ProposalRequest request) {
  Member& member = member_of(request);
  if (member.threads.empty()) {
    ProposalAnswer answer = ask(*member.proposer, request);
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    withdrawn_.erase(request.id);
    member.waiting.push_back(std::move(request));
  }
  member.changed.notify_one();
}

void ProposerPool::work(Member& member) {
  std::unique_lock lock(mutex_);
  for (;;) {
    member.changed.wait(lock,
                        [&] { return stopping_ || !member.waiting.empty(); });
    if (stopping_) return;
    const ProposalRequest request = std::move(member.waiting.front());
    member.waiting.pop_front();
    member.asked.insert(request.id);
    lock.unlock();
    const double start_ms = monotonic_ms();
    ProposalAnswer answer = ask(*member.proposer, request);
    answer.cost.seconds = (monotonic_ms() - start_ms) * 1e-3;
    lock.lock();
    member.asked.erase(request.id);
    answer.cost.usd = spent_usd_[request.id];
    if (unpriced_.contains(request.id)) answer.cost.usd.reset();
    spent_usd_.erase(request.id);
    unpriced_.erase(request.id);
    if (stopping_) return;
    if (withdrawn_.erase(request.id) > 0) continue;
    answers_.push_back(std::move(answer));
    lock.unlock();
    wake();
    lock.lock();
  }
}

std::optional<ProposalAnswer> ProposerPool::take() {
  const std::lock_guard lock(mutex_);
  if (answers_.empty()) return std::nullopt;
  ProposalAnswer answer = std::move(answers_.front());
  answers_.pop_front();
  return answer;
}

std::optional<Proposal> ProposerPool::take_unasked() {
  return unasked_ ? unasked_->take() : std::nullopt;
}

void ProposerPool::settle_unasked(const Result<CandidateId>& accepted) {
  if (unasked_) unasked_->settle(accepted);
}

std::vector<LlmCall> ProposerPool::take_calls() {
  const std::lock_guard lock(mutex_);
  return std::exchange(calls_, {});
}

std::vector<std::string> ProposerPool::take_exhausted() {
  std::vector<std::string> names;
  for (const auto& [name, member] : members_) {
    if (!member->exhausted || !member->exhausted()) continue;
    member->exhausted = {};
    names.push_back(name);
  }
  return names;
}

void ProposerPool::withdraw(CandidateId id) {
  Proposer* asked = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(answers_, [id](const ProposalAnswer& answer) {
      return answer.id == id;
    });
    for (const auto& [name, member] : members_) {
      std::erase_if(member->waiting, [id](const ProposalRequest& request) {
        return request.id == id;
      });
      if (!member->asked.contains(id)) continue;
      withdrawn_.insert(id);
      asked = member->proposer;
    }
  }
  if (asked) asked->withdraw(id);
}

void ProposerPool::on_arrival(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

// Under the lock, so that on_arrival({}) is the end of it.
void ProposerPool::wake() {
  const std::lock_guard lock(mutex_);
  if (wake_) wake_();
}

}  // namespace evoke
