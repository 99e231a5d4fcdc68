// Keeps a run from burning through its proposals while a service is down:
// after some failures in a row every call waits, then one tries, and when that
// one succeeds all go on. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "evoke/proposers/llm/chat_client.h"

namespace evoke::llm {

struct BreakerOptions {
  int failures = 4;  // in a row, before it opens
  double first_pause_s = 5;
  double longest_pause_s = 120;  // the pauses double up to this
  // Since the service last answered; then calls fail.
  double give_up_s = 1800;
  // Told in one line when it opens and when it closes; null: nobody. Called
  // under the breaker's lock.
  std::function<void(const std::string&)> notice;
};

class CircuitBreaker {
 public:
  CircuitBreaker(std::string service, BreakerOptions options);

  enum class Admission { go, cancelled, gave_up };
  // Blocks while the service is taken to be down. After `go` exactly one of
  // the three functions below must follow.
  Admission enter(const Stop& stop);
  void succeeded();
  void failed(std::string_view why);
  // Neither: the call was cancelled, or says nothing about the service.
  void abandoned();
  // The service wants no request for so long. Counts as neither, too.
  void rate_limited(double wait_s, std::string_view why);

  bool open() const;
  // Why it opened; for the error of calls that gave up.
  std::string reason() const;

 private:
  using Clock = std::chrono::steady_clock;
  void tell(const std::string& what) const;
  void open_for(double seconds, std::string_view why);

  const std::string service_;
  const BreakerOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int failures_ = 0;
  bool open_ = false;
  bool probing_ = false;  // one call is trying while it is open
  double pause_s_ = 0;
  Clock::time_point paused_until_{};
  bool troubled_ = false;  // no answer since `trouble_began_`
  Clock::time_point trouble_began_{};
  bool told_ = false;  // that calls wait
  std::string reason_;
};

}  // namespace evoke::llm
