#include "evoke/evaluation/judge/case_feed.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace evoke::judge {

CaseFeed::CaseFeed(Workbench& bench, std::vector<GateCase> cases,
                   std::optional<uint64_t> draw)
    : bench_(bench), cases_(std::move(cases)), draw_(draw) {}

Result<std::shared_ptr<const PooledCase>> CaseFeed::next() {
  const std::size_t width = std::max(1U, std::thread::hardware_concurrency());
  while (ahead_.size() < width && started_ < cases_.size()) {
    ahead_.push_back(std::async(
        std::launch::async, [this, index = started_] { return make(index); }));
    ++started_;
  }
  Made made = ahead_.front().get();
  ahead_.pop_front();
  ++next_;
  return made;
}

CaseFeed::Made CaseFeed::make(std::size_t index) const {
  const auto share = bench_.share_processor();
  if (!share || bench_.stopping()) return failed("cancelled");
  return draw_ ? bench_.cases().get(cases_[index], *draw_)
               : bench_.cases().make_fresh(cases_[index]);
}

}  // namespace evoke::judge
