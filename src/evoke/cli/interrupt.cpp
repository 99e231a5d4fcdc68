#include "evoke/cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace evoke::cli {
namespace {

std::atomic<int> interrupts{0};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int) {
  if (interrupts.fetch_add(1) >= 1) _exit(130);
}

}  // namespace

void watch_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return interrupts.load() > 0; }

}  // namespace evoke::cli
