#include "evoke/proposers/llm/circuit_breaker.h"

#include <fmt/format.h>

#include <algorithm>

namespace evoke::llm {
namespace {

// How often a waiting call asks whether it should stop.
constexpr auto kPoll = std::chrono::milliseconds(50);
// Shorter pauses for a rate limit are ordinary traffic.
constexpr double kWorthTellingS = 10;

std::chrono::steady_clock::duration of_seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

}  // namespace

CircuitBreaker::CircuitBreaker(std::string service, BreakerOptions options)
    : service_(std::move(service)), options_(std::move(options)) {}

void CircuitBreaker::tell(const std::string& what) const {
  if (options_.notice) options_.notice(service_ + " " + what);
}

void CircuitBreaker::open_for(double seconds, std::string_view why) {
  if (!troubled_) trouble_began_ = Clock::now();
  troubled_ = true;
  open_ = true;  // so one call goes first when the pause ends
  probing_ = false;
  reason_ = why;
  paused_until_ = std::max(paused_until_, Clock::now() + of_seconds(seconds));
}

CircuitBreaker::Admission CircuitBreaker::enter(const Stop& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    lock.unlock();
    const bool stopped = stop && stop();
    lock.lock();
    if (stopped) return Admission::cancelled;
    const auto now = Clock::now();
    if (open_ && now - trouble_began_ > of_seconds(options_.give_up_s)) {
      return Admission::gave_up;
    }
    if (now >= paused_until_ && !(open_ && probing_)) {
      probing_ = open_;
      return Admission::go;
    }
    auto until = now + kPoll;
    if (now < paused_until_) until = std::min(until, paused_until_);
    changed_.wait_until(lock, until);
  }
}

void CircuitBreaker::succeeded() {
  const std::lock_guard lock(mutex_);
  if (told_) tell("answers again; going on");
  failures_ = 0;
  open_ = probing_ = troubled_ = told_ = false;
  pause_s_ = 0;
  changed_.notify_all();
}

void CircuitBreaker::failed(std::string_view why) {
  const std::lock_guard lock(mutex_);
  // Calls that were under way when it opened fail late and change nothing.
  if (open_ && !probing_) return;
  ++failures_;
  if (!troubled_) trouble_began_ = Clock::now();
  troubled_ = true;
  if (!open_ && failures_ < options_.failures) return;
  pause_s_ = pause_s_ > 0 ? std::min(2 * pause_s_, options_.longest_pause_s)
                          : options_.first_pause_s;
  open_for(pause_s_, why);
  told_ = true;
  tell(
      fmt::format("is down ({}); paused, next try in {:.3g} s", why, pause_s_));
  changed_.notify_all();
}

void CircuitBreaker::abandoned() {
  const std::lock_guard lock(mutex_);
  probing_ = false;
  changed_.notify_all();
}

void CircuitBreaker::rate_limited(double wait_s, std::string_view why) {
  const std::lock_guard lock(mutex_);
  const bool longer = Clock::now() + of_seconds(wait_s) > paused_until_;
  open_for(wait_s, why);
  if (longer && wait_s >= kWorthTellingS) {
    told_ = true;
    tell(fmt::format("asks for patience ({}); paused for {:.3g} s", why,
                     wait_s));
  }
  changed_.notify_all();
}

bool CircuitBreaker::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

std::string CircuitBreaker::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace evoke::llm
