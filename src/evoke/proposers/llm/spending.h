// What language models have cost in a run, and the limit on it. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "evoke/proposers/llm/chat_client.h"

namespace evoke::llm {

class Spending {
 public:
  // `spent_usd`: what earlier sittings of a resumed run have cost. Without
  // `budget_usd` there is no limit.
  explicit Spending(std::optional<double> budget_usd = {},
                    double spent_usd = 0);

  // Money set aside for one request. Destroyed without settle(), all of it
  // counts as spent: a request that was sent and not answered may be charged.
  class Hold {
   public:
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&&) = delete;
    ~Hold();
    // What it did cost: this much is spent, the rest is free again.
    void settle(double usd);
    double usd() const { return usd_; }

   private:
    friend class Spending;
    Hold(Spending* spending, double usd) : spending_(spending), usd_(usd) {}
    Spending* spending_;
    double usd_;
  };

  // Sets `most_usd` aside. Waits while that needs money which other requests
  // hold and may give back; `over_budget` when it is not there.
  ChatResult<Hold> hold(double most_usd, const Stop& stop);
  // A request whose price nobody knows.
  void count_unknown();

  double spent_usd() const;
  double held_usd() const;
  int64_t unknown_requests() const;
  std::optional<double> budget_usd() const { return budget_usd_; }
  // Whether a hold has been refused: the budget is as good as spent.
  bool exhausted() const;

 private:
  void settle(double held, double usd);

  const std::optional<double> budget_usd_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  double spent_usd_ = 0;
  double held_usd_ = 0;
  int64_t holds_ = 0;
  int64_t unknown_requests_ = 0;
  bool exhausted_ = false;
};

}  // namespace evoke::llm
