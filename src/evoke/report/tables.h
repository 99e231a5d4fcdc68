// Measurements as aligned text and Markdown, the same everywhere they are
// shown: every ratio with its interval and verdict, and never a ratio against
// MLX on a CPU without the second, strong baseline or a word that it is
// missing.
#pragma once

#include <string>
#include <vector>

#include "evoke/core/measurements.h"
#include "evoke/core/outcome.h"

namespace evoke {

struct RunReport;

struct TextTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};
// Columns aligned by display width, the first to the left, the others to the
// right; two blanks between them.
std::string to_text(const TextTable& table);
std::string to_markdown(const TextTable& table);

// One row per shape and baseline: time, baseline's time, speed-up, interval,
// verdict, percent of the roof.
TextTable measurement_table(const std::vector<ShapeMeasurement>& shapes);

// A row per device that judged; of a run on several.
TextTable device_table(const RunReport& report);

// "1.234x [1.201, 1.267]"
std::string speedup_text(double value, double low, double high);
// "12.3 us", "1.23 ms"
std::string time_text(double us);

// How many shapes of the race against `baseline` (cold) have this verdict.
int count_verdict(const Measurements& measurements, const std::string& baseline,
                  SpeedVerdict verdict);

// A sentence when MLX was raced and no other strong baseline was, or the
// other way round; empty when both or neither were.
std::string baseline_caveat(const Measurements& measurements);

}  // namespace evoke
