// Gate cases one after another. To make one takes longer than to check it, so
// the next ones, one per core, are always under way.
#pragma once

#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/case_pool.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke::judge {

class CaseFeed {
 public:
  // `draw` picks seeds from the pool; without it every case gets a fresh one.
  // `bench` must outlive the feed.
  CaseFeed(Workbench& bench, std::vector<GateCase> cases,
           std::optional<uint64_t> draw);

  std::size_t size() const { return cases_.size(); }
  bool done() const { return next_ == cases_.size(); }
  // Not when done(). Fails when memory is short or everything is to stop;
  // then the feed is over.
  Result<std::shared_ptr<const PooledCase>> next();

 private:
  using Made = Result<std::shared_ptr<const PooledCase>>;
  Made make(std::size_t index) const;

  Workbench& bench_;
  std::vector<GateCase> cases_;
  std::optional<uint64_t> draw_;
  std::size_t next_ = 0;     // to be given out
  std::size_t started_ = 0;  // of all that were
  // Those between; each waits for its thread when it goes.
  std::deque<std::future<Made>> ahead_;
};

}  // namespace evoke::judge
