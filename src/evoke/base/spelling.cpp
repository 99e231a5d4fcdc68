#include "evoke/base/spelling.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace evoke {

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> before(b.size() + 1);  // rows i - 2, i - 1 and i
  std::vector<int> last(b.size() + 1);
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped =
          i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string did_you_mean(std::string_view word,
                         std::span<const std::string> known) {
  constexpr std::size_t kLongestWord = 64;
  if (word.size() > kLongestWord) return {};
  const std::string* nearest = nullptr;
  int least = std::max(1, static_cast<int>(word.size()) / 3) + 1;
  for (const std::string& candidate : known) {
    const int distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      nearest = &candidate;
    }
  }
  constexpr std::size_t kTellingPrefix = 3;
  for (const std::string& candidate : known) {
    if (nearest || word.size() < kTellingPrefix) break;
    if (candidate.starts_with(word)) nearest = &candidate;
  }
  if (!nearest) return {};
  return std::string(" (did you mean '").append(*nearest).append("'?)");
}

}  // namespace evoke
