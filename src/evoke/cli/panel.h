// What a running search shows: one live panel on a terminal, plain lines
// elsewhere.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evoke/cli/context.h"
#include "evoke/core/measurements.h"
#include "evoke/core/outcome.h"

namespace evoke::cli {

struct PanelState {
  std::string phase;  // "preparing", "searching", "confirming"
  std::string run_path;
  std::string reference;  // what speed-ups are relative to
  int64_t iteration = 0;
  int64_t iteration_limit = 0;  // 0: none
  double elapsed_s = 0;
  double time_limit_s = 0;  // 0: none
  double evaluations_per_minute = 0;
  int in_flight = 0;
  std::array<int64_t, kNumOutcomeKinds> counts{};
  std::optional<Fitness> best;  // of the confirmed best
  std::string best_label;       // "#12 decode: splits 1 -> 4"
  int occupied_cells = 0;
  std::string last_event;
};

std::string clock_text(double seconds);  // "8:05", as the panel shows time

// The panel as text lines, no escapes but colour; pure, for tests.
std::vector<std::string> render_panel(const Context& context,
                                      const PanelState& state);

class Panel {
 public:
  // `live`: redraw in place; otherwise one plain line at most every
  // `plain_interval_s`, and each event as it comes.
  Panel(const Context& context, bool live, double plain_interval_s = 10);
  ~Panel();
  void update(const PanelState& state);
  // A line that stays: above the live panel, or just printed.
  void event(const std::string& line);
  void close();

 private:
  void erase();
  Context context_;
  bool live_;
  double plain_interval_s_;
  double last_draw_ms_ = -1e9;
  int drawn_lines_ = 0;
  PanelState state_;
};

}  // namespace evoke::cli
