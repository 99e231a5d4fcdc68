#include "evoke/proposers/llm/data_fence.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "evoke/base/rng.h"
#include "evoke/base/utf8.h"

namespace evoke::llm {
namespace {

constexpr std::size_t kLongestLine = 400;

std::string drawn_word(Rng& rng) {
  constexpr std::string_view kLetters = "bcdfghjkmnpqrstvwxz";
  std::string word;
  for (int i = 0; i < 10; ++i) word += kLetters[rng.below(kLetters.size())];
  return word;
}

}  // namespace

DataFence::DataFence(uint64_t rng_seed,
                     const std::vector<std::string_view>& texts) {
  Rng rng = Rng(rng_seed).fork("data fence");
  const auto is_taken = [&texts](const std::string& word) {
    const std::boyer_moore_horspool_searcher places(word.begin(), word.end());
    return std::any_of(texts.begin(), texts.end(), [&](std::string_view text) {
      return std::search(text.begin(), text.end(), places) != text.end();
    });
  };
  do {
    word_ = drawn_word(rng);
  } while (is_taken(word_));
}

std::string DataFence::around(std::string_view label,
                              std::string_view text) const {
  return fmt::format(">>> DATA {}: {}\n{}<<< END {}\n", word_, label,
                     fit_for_prompt(text), word_);
}

std::string fit_for_prompt(std::string_view text) {
  std::string clean = to_valid_utf8(text);
  for (char& c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) c = ' ';
  }
  for (std::size_t at = find_direction_change(clean); at != clean.npos;
       at = find_direction_change(clean)) {
    clean.replace(at, 3, "?");  // all of them take three bytes
  }
  if (!clean.empty() && clean.back() != '\n') clean += '\n';
  return clean;
}

std::string shortened(std::string_view text, std::size_t max_bytes) {
  std::vector<std::string> lines;
  std::size_t size = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    if (line.size() > kLongestLine) {
      line.resize(kLongestLine);
      line += "...";  // a split character is mended by fit_for_prompt
    }
    size += line.size() + 1;
    lines.push_back(std::move(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  // Of what must go, two thirds of the room stay at the head, where compilers
  // say what matters.
  std::size_t head = lines.size();
  std::size_t tail = lines.size();
  if (size > max_bytes) {
    std::size_t room = max_bytes * 2 / 3;
    for (head = 0; head < lines.size() && lines[head].size() < room; ++head) {
      room -= lines[head].size() + 1;
    }
    room = max_bytes / 3;
    for (tail = lines.size(); tail > head && lines[tail - 1].size() < room;
         --tail) {
      room -= lines[tail - 1].size() + 1;
    }
  }
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i >= head && i < tail) {
      out += fmt::format("[{} lines left out]\n", tail - head);
      i = tail - 1;
      continue;
    }
    out += lines[i] + "\n";
  }
  return out;
}

}  // namespace evoke::llm
