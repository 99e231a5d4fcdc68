// Several proposers at work for one search: those that answer at once on the
// caller's thread, the others on threads of their own, so that a slow one
// holds up nobody.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "evoke/evolution/interfaces/proposer.h"

namespace evoke {

// Where candidates that nobody asked for come from. Called on the search's
// thread, often: must not block.
class UnaskedSource {
 public:
  virtual ~UnaskedSource() = default;
  virtual std::optional<Proposal> take() = 0;
  // What became of the one taken last: the id under which it is judged, or
  // why it never will be. `absent`: not now; it should come again.
  virtual void settle(const Result<CandidateId>& accepted) = 0;
};

class ProposerPool : public ProposalDesk {
 public:
  ProposerPool() = default;
  // Withdraws what is in flight and waits until each propose() has returned.
  // To be destroyed before the proposers.
  ~ProposerPool() override;
  ProposerPool(const ProposerPool&) = delete;
  ProposerPool& operator=(const ProposerPool&) = delete;

  // Before the first submit(). `in_flight` 0: it answers at once; else the
  // number of its threads. Throws UsageError for a name that is taken.
  // `exhausted`: asked now and then, whether it will answer no more.
  void add(Proposer& proposer, int in_flight,
           std::function<bool()> exhausted = {});
  void set_unasked(UnaskedSource* source) { unasked_ = source; }

  // To be given to proposers that call models: calls are kept for
  // take_calls(), and their cost counts for their proposal.
  LlmCallObserver observer();
  // Whether the pool wants no answers any more. Thread-safe.
  bool stopping() const { return stopping_; }

  void submit(ProposalRequest request) override;
  std::optional<ProposalAnswer> take() override;
  std::optional<Proposal> take_unasked() override;
  void settle_unasked(const Result<CandidateId>& accepted) override;
  std::vector<LlmCall> take_calls() override;
  std::vector<std::string> take_exhausted() override;
  void withdraw(CandidateId id) override;
  void on_arrival(std::function<void()> wake) override;
  // Something may be there; any thread.
  void wake();

 private:
  struct Member {
    Proposer* proposer = nullptr;
    std::deque<ProposalRequest> waiting;
    std::set<CandidateId> asked;      // of which propose() has not returned
    std::function<bool()> exhausted;  // empty: never
    std::condition_variable changed;  // `waiting`, or the pool is stopping
    std::vector<std::thread> threads;
  };
  Member& member_of(const ProposalRequest& request);
  void work(Member& member);
  static ProposalAnswer ask(Proposer& proposer, const ProposalRequest& request);

  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Member>> members_;
  std::deque<ProposalAnswer> answers_;
  std::vector<LlmCall> calls_;
  std::map<CandidateId, double> spent_usd_;  // of proposals in flight
  std::set<CandidateId> unpriced_;           // a price is not known
  std::set<CandidateId> withdrawn_;
  std::function<void()> wake_;
  UnaskedSource* unasked_ = nullptr;
  std::atomic<bool> stopping_{false};
};

}  // namespace evoke
