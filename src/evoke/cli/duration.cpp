#include "evoke/cli/duration.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace evoke::cli {

Result<double> parse_duration_s(std::string_view text) {
  const std::string original(text);
  const auto wrong = [&] {
    return failed("'" + original +
                  "' is no length of time; write 90s, 2m or "
                  "1h30m");
  };
  if (text.empty()) return wrong();
  double seconds = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || !(number >= 0) || !std::isfinite(number)) {
      return wrong();
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const char unit = text.empty() ? 's' : text.front();
    if (!text.empty()) text.remove_prefix(1);
    if (unit == 's') {
      seconds += number;
    } else if (unit == 'm') {
      seconds += 60 * number;
    } else if (unit == 'h') {
      seconds += 3600 * number;
    } else {
      return wrong();
    }
  }
  return seconds;
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
}

}  // namespace evoke::cli
