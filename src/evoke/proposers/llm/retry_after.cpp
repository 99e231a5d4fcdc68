#include "evoke/proposers/llm/retry_after.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

namespace evoke::llm {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBetween = " ,-:";
  while (true) {
    const std::size_t first = text.find_first_not_of(kBetween);
    if (first == text.npos) return words;
    text.remove_prefix(first);
    const std::size_t length =
        std::min(text.find_first_of(kBetween), text.size());
    words.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
}

std::optional<int> number_of(std::string_view word) {
  int value = 0;
  const auto [end, error] =
      std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

std::optional<unsigned> month_of(std::string_view word) {
  const auto* const found = std::find(kMonths.begin(), kMonths.end(), word);
  if (found == kMonths.end()) return std::nullopt;
  return static_cast<unsigned>(found - kMonths.begin()) + 1;
}

std::optional<int64_t> seconds_of(std::optional<int> year,
                                  std::optional<unsigned> month,
                                  std::optional<int> day,
                                  std::optional<int> hour,
                                  std::optional<int> minute,
                                  std::optional<int> second) {
  using namespace std::chrono;
  if (!year || !month || !day || !hour || !minute || !second) return {};
  // Two digits: RFC 850. A year that would lie far ahead is of the past.
  if (*year < 100) *year += *year < 70 ? 2000 : 1900;
  const year_month_day date{std::chrono::year(*year),
                            std::chrono::month(*month),
                            std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *year > 9999 || *hour > 23 || *minute > 59 ||
      *second > 60) {
    return {};
  }
  return int64_t{sys_days(date).time_since_epoch().count()} * 86'400 +
         *hour * 3600 + *minute * 60 + *second;
}

}  // namespace

std::optional<int64_t> parse_http_date(std::string_view text) {
  const auto words = words_of(text);
  if (words.size() < 7) return std::nullopt;
  if (words.back() == "GMT" && words.size() == 8) {  // both with "GMT"
    return seconds_of(number_of(words[3]), month_of(words[2]),
                      number_of(words[1]), number_of(words[4]),
                      number_of(words[5]), number_of(words[6]));
  }
  if (words.size() != 7) return std::nullopt;  // asctime
  return seconds_of(number_of(words[6]), month_of(words[1]),
                    number_of(words[2]), number_of(words[3]),
                    number_of(words[4]), number_of(words[5]));
}

std::optional<double> retry_after_s(std::string_view value,
                                    std::string_view date, int64_t now_s) {
  if (value.empty()) return std::nullopt;
  double seconds = 0;
  const char* const end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, seconds);
  if (parsed.ec == std::errc() && parsed.ptr == end) {
    if (!std::isfinite(seconds)) return std::nullopt;
    return std::max(seconds, 0.0);
  }
  const auto until = parse_http_date(value);
  if (!until) return std::nullopt;
  const int64_t from = parse_http_date(date).value_or(now_s);
  return static_cast<double>(std::max<int64_t>(*until - from, 0));
}

double backoff_s(int n, double first_s, double longest_s, Rng& rng) {
  const double whole =
      std::min(first_s * std::exp2(std::min(n, 30)), longest_s);
  return whole * (0.5 + 0.5 * rng.uniform());
}

}  // namespace evoke::llm
