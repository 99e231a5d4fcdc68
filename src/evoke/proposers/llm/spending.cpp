#include "evoke/proposers/llm/spending.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace evoke::llm {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);

}  // namespace

Spending::Spending(std::optional<double> budget_usd, double spent_usd)
    : budget_usd_(budget_usd), spent_usd_(spent_usd) {}

Spending::Hold::Hold(Hold&& other) noexcept
    : spending_(std::exchange(other.spending_, nullptr)), usd_(other.usd_) {}

Spending::Hold::~Hold() {
  if (spending_ != nullptr) spending_->settle(usd_, usd_);
}

void Spending::Hold::settle(double usd) {
  Spending* const spending = std::exchange(spending_, nullptr);
  if (spending != nullptr) spending->settle(usd_, usd);
}

void Spending::settle(double held, double usd) {
  {
    const std::lock_guard lock(mutex_);
    held_usd_ -= held;
    spent_usd_ += usd;
    if (--holds_ == 0) held_usd_ = 0;  // no rounding left over
  }
  changed_.notify_all();
}

ChatResult<Spending::Hold> Spending::hold(double most_usd, const Stop& stop) {
  std::unique_lock lock(mutex_);
  while (budget_usd_ && !(spent_usd_ + held_usd_ + most_usd <= *budget_usd_)) {
    ChatError error;
    lock.unlock();
    const bool stopped = stop && stop();
    lock.lock();
    if (stopped) {
      error.kind = ChatErrorKind::cancelled;
      error.message = "cancelled while waiting for money that others held";
      return tl::unexpected(std::move(error));
    }
    if (!(spent_usd_ + most_usd <= *budget_usd_)) {
      exhausted_ = true;
      error.kind = ChatErrorKind::over_budget;
      error.message = fmt::format(
          "the budget for language models is used up: {:.4f} of {:.4f} USD "
          "spent, and the next request may cost {:.4f}",
          spent_usd_, *budget_usd_, most_usd);
      return tl::unexpected(std::move(error));
    }
    changed_.wait_for(lock, kPoll);
  }
  held_usd_ += most_usd;
  ++holds_;
  return Hold(this, most_usd);
}

void Spending::count_unknown() {
  const std::lock_guard lock(mutex_);
  ++unknown_requests_;
}
double Spending::spent_usd() const {
  const std::lock_guard lock(mutex_);
  return spent_usd_;
}
double Spending::held_usd() const {
  const std::lock_guard lock(mutex_);
  return held_usd_;
}
int64_t Spending::unknown_requests() const {
  const std::lock_guard lock(mutex_);
  return unknown_requests_;
}
bool Spending::exhausted() const {
  const std::lock_guard lock(mutex_);
  return exhausted_;
}

}  // namespace evoke::llm
