#include "evoke/cli/panel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "evoke/base/clock.h"

namespace evoke::cli {
namespace {

constexpr double kLiveIntervalMs = 100;

std::string bar(double fraction, int width) {
  const int filled =
      static_cast<int>(std::clamp(fraction, 0.0, 1.0) * width + 0.5);
  std::string text;
  for (int i = 0; i < width; ++i) text += i < filled ? "█" : "░";
  return text;
}

double budget_used(const PanelState& state) {
  double used = 0;
  if (state.time_limit_s > 0) used = state.elapsed_s / state.time_limit_s;
  if (state.iteration_limit > 0) {
    used = std::max(used, static_cast<double>(state.iteration) /
                              static_cast<double>(state.iteration_limit));
  }
  return used;
}

std::string best_text(const PanelState& state) {
  if (!state.best) return "none confirmed yet";
  return fmt::format("{:.3f}x [{:.3f}, {:.3f}] of {}", state.best->value,
                     state.best->low, state.best->high, state.reference);
}

// Non-zero counts, most frequent first.
std::string counts_text(const PanelState& state) {
  std::vector<std::size_t> kinds;
  for (std::size_t i = 0; i < kNumOutcomeKinds; ++i) {
    if (state.counts[i] > 0) kinds.push_back(i);
  }
  std::stable_sort(kinds.begin(), kinds.end(), [&](auto a, auto b) {
    return state.counts[a] > state.counts[b];
  });
  std::string text;
  for (const std::size_t kind : kinds) {
    text += fmt::format("{}{} {}", text.empty() ? "" : "  ",
                        to_string(static_cast<OutcomeKind>(kind)),
                        state.counts[kind]);
  }
  return text.empty() ? "nothing judged yet" : text;
}

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::vector<std::string> render_panel(const Context& context,
                                      const PanelState& state) {
  std::string budget = clock_text(state.elapsed_s);
  if (state.time_limit_s > 0) budget += " of " + clock_text(state.time_limit_s);
  std::string iterations = fmt::format("iteration {}", state.iteration);
  if (state.iteration_limit > 0) {
    iterations += fmt::format(" of {}", state.iteration_limit);
  }
  std::vector<std::string> lines = {
      fmt::format("{}  {}  {}", bold(context, "evoke " + state.phase),
                  budget_used(state) > 0 ? bar(budget_used(state), 24) : "",
                  budget),
      fmt::format("  {}  {:.0f} evaluations/min  {} in flight  {} cells",
                  iterations, state.evaluations_per_minute, state.in_flight,
                  state.occupied_cells),
      "  best  " +
          (state.best ? green(context, best_text(state)) : best_text(state)),
  };
  if (!state.best_label.empty()) lines.push_back("        " + state.best_label);
  lines.push_back("  " + dim(context, counts_text(state)));
  if (!state.last_event.empty()) {
    lines.push_back("  " + dim(context, state.last_event));
  }
  return lines;
}

Panel::Panel(const Context& context, bool live, double plain_interval_s)
    : context_(context), live_(live), plain_interval_s_(plain_interval_s) {}

Panel::~Panel() { close(); }

void Panel::erase() {
  if (drawn_lines_ > 0) fmt::print("\x1b[{}A\x1b[J", drawn_lines_);
  drawn_lines_ = 0;
}

void Panel::update(const PanelState& state) {
  state_ = state;
  const double now = monotonic_ms();
  if (!live_) {
    if (now - last_draw_ms_ < plain_interval_s_ * 1000) return;
    last_draw_ms_ = now;
    fmt::print("{} {}: iteration {}, {:.0f} evaluations/min, best {}; {}\n",
               clock_text(state.elapsed_s), state.phase, state.iteration,
               state.evaluations_per_minute, best_text(state),
               counts_text(state));
    std::fflush(stdout);
    return;
  }
  if (now - last_draw_ms_ < kLiveIntervalMs) return;
  last_draw_ms_ = now;
  const auto lines = render_panel(context_, state);
  erase();
  for (const std::string& line : lines) {
    // A line that wraps would break the cursor arithmetic: autowrap off.
    fmt::print("\x1b[?7l{}\x1b[?7h\n", line);
  }
  drawn_lines_ = static_cast<int>(lines.size());
  std::fflush(stdout);
}

void Panel::event(const std::string& line) {
  if (live_) erase();
  fmt::print("{}\n", line);
  std::fflush(stdout);
  if (live_) {
    last_draw_ms_ = -1e9;
    update(state_);
  }
}

void Panel::close() {
  if (live_) erase();
  std::fflush(stdout);
}

}  // namespace evoke::cli
