#include "evoke/proposers/llm/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "evoke/base/utf8.h"
#include "evoke/core/kernel_text.h"

namespace evoke::llm {
namespace {

constexpr std::size_t kShortestMarker = 5;
constexpr std::size_t kLongestIdea = 240;
constexpr std::size_t kLongestStrategy = 32;
constexpr std::size_t kMostStrategies = 3;
constexpr std::size_t kMostBlocks = 64;

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::string_view trimmed(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t");
  if (first == line.npos) return "";
  return line.substr(first, line.find_last_not_of(" \t") - first + 1);
}

bool equals_word(std::string_view text, std::string_view word) {
  return text.size() == word.size() &&
         std::equal(text.begin(), text.end(), word.begin(),
                    [](char a, char b) { return lower(a) == b; });
}

// What follows five or more `letter`s at the start of a line; nullopt: they
// are not there.
std::optional<std::string_view> after_marker(std::string_view line,
                                             char letter) {
  line = trimmed(line);
  const std::size_t length =
      std::min(line.find_first_not_of(letter), line.size());
  if (length < kShortestMarker) return std::nullopt;
  return trimmed(line.substr(length));
}

bool begins_block(std::string_view line) {
  const auto word = after_marker(line, '<');
  return word &&
         (equals_word(*word, "search") || equals_word(*word, "original") ||
          equals_word(*word, "search:"));
}
bool divides_block(std::string_view line) {
  const auto word = after_marker(line, '=');
  return word && word->empty();
}
bool ends_block(std::string_view line) {
  const auto word = after_marker(line, '>');
  return word && (word->empty() || equals_word(*word, "replace") ||
                  equals_word(*word, "updated"));
}

// Letters of the fence that begins a line: "```"; empty: none.
std::string_view fence_of(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || (line[0] != '`' && line[0] != '~')) return "";
  const std::size_t length =
      std::min(line.find_first_not_of(line[0]), line.size());
  return length < 3 ? std::string_view() : line.substr(0, length);
}
bool closes(std::string_view line, std::string_view fence) {
  const std::string_view here = fence_of(line);
  return !here.empty() && here[0] == fence[0] && here.size() >= fence.size() &&
         trimmed(line).size() == here.size();
}

// A fence around the lines of one side of a block is not part of the code.
void remove_fence(std::vector<std::string>& lines) {
  if (lines.size() < 2 || fence_of(lines.front()).empty() ||
      !closes(lines.back(), fence_of(lines.front()))) {
    return;
  }
  lines.erase(lines.begin());
  lines.pop_back();
}

bool begins_file(std::string_view line) {
  return trimmed(line).starts_with(kPlanStart);
}

class Reader {
 public:
  explicit Reader(std::string_view text) : lines_(lines_of(text)) {}

  Result<Answer> read() {
    if (auto read = read_blocks(); !read) return error_of(read);
    if (auto read = read_files(); !read) return error_of(read);
    read_labels();
    if (answer_.blocks.empty() && answer_.file.empty()) {
      return failed(
          "there is neither a SEARCH/REPLACE block nor a kernel file in it");
    }
    if (!answer_.blocks.empty() && !answer_.file.empty()) {
      return failed(
          "there are SEARCH/REPLACE blocks and a kernel file in it; give one "
          "of both");
    }
    return std::move(answer_);
  }

 private:
  enum class Part { prose, search, replace };

  // Moves blocks out of lines_; what is left goes into rest_.
  Result<void> read_blocks() {
    Part part = Part::prose;
    SearchReplace block;
    for (const std::string& line : lines_) {
      const auto number = answer_.blocks.size() + 1;
      if (begins_block(line)) {
        if (part != Part::prose) {
          return failed(fmt::format(
              "block {}: another block begins before it ends", number));
        }
        part = Part::search;
        block = {};
      } else if (part == Part::prose) {
        rest_.push_back(line);
      } else if (divides_block(line)) {
        if (part == Part::replace) {
          return failed(fmt::format("block {}: has two ======= lines", number));
        }
        part = Part::replace;
      } else if (ends_block(line)) {
        if (part == Part::search) {
          return failed(fmt::format(
              "block {}: has no ======= line between both sides", number));
        }
        remove_fence(block.search);
        remove_fence(block.replace);
        if (number > kMostBlocks) {
          return failed(
              fmt::format("there are more than {} blocks in it", kMostBlocks));
        }
        answer_.blocks.push_back(std::exchange(block, {}));
        part = Part::prose;
      } else {
        auto& side = part == Part::search ? block.search : block.replace;
        side.push_back(line);
      }
    }
    if (part != Part::prose) {
      return failed(
          fmt::format("block {}: does not end; close it with >>>>>>> REPLACE",
                      answer_.blocks.size() + 1));
    }
    return {};
  }

  // Moves kernel files out of rest_; what is left goes into prose_.
  Result<void> read_files() {
    for (std::size_t i = 0; i < rest_.size();) {
      const std::string_view fence = fence_of(rest_[i]);
      if (!fence.empty()) {
        std::size_t end = i + 1;
        while (end < rest_.size() && !closes(rest_[end], fence)) ++end;
        const std::vector<std::string> inside(
            rest_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
            rest_.begin() + static_cast<std::ptrdiff_t>(end));
        const auto first =
            std::find_if(inside.begin(), inside.end(), begins_file);
        if (first != inside.end()) {
          const auto added =
              add_file({first, inside.end()}, end < rest_.size());
          if (!added) return added;
        }
        i = end + 1;
      } else if (begins_file(rest_[i])) {
        std::size_t end = i + 1;
        while (end < rest_.size() && fence_of(rest_[end]).empty()) ++end;
        const auto added =
            add_file({rest_.begin() + static_cast<std::ptrdiff_t>(i),
                      rest_.begin() + static_cast<std::ptrdiff_t>(end)},
                     end < rest_.size());
        if (!added) return added;
        i = end + 1;
      } else {
        prose_.push_back(rest_[i++]);
      }
    }
    return {};
  }

  Result<void> add_file(std::vector<std::string> lines, bool closed) {
    if (!answer_.file.empty() && answer_.file != lines) {
      return failed("there are two different kernel files in it; give one");
    }
    answer_.file = std::move(lines);
    answer_.file_is_closed = closed;
    return {};
  }

  // "**Idea:** text" -> "text"; nullopt: the line has another label or none.
  static std::optional<std::string_view> labelled(std::string_view line,
                                                  std::string_view label) {
    constexpr std::string_view kDecoration = " \t*#_->";
    line.remove_prefix(
        std::min(line.find_first_not_of(kDecoration), line.size()));
    if (line.size() <= label.size() ||
        !equals_word(line.substr(0, label.size()), label)) {
      return std::nullopt;
    }
    line.remove_prefix(label.size());
    line.remove_prefix(std::min(line.find_first_not_of("*_ \t"), line.size()));
    if (!line.starts_with(':')) return std::nullopt;
    line.remove_prefix(1);
    line.remove_prefix(std::min(line.find_first_not_of("*_ \t"), line.size()));
    return trimmed(line);
  }

  void read_labels() {
    for (const std::string& line : prose_) {
      if (answer_.idea.empty()) {
        if (const auto idea = labelled(line, "idea")) {
          answer_.idea = one_line(*idea, kLongestIdea);
        }
      }
      for (const std::string_view label :
           {"strategy", "strategies", "strategy tags"}) {
        if (const auto words = labelled(line, label)) add_strategies(*words);
      }
    }
  }

  void add_strategies(std::string_view words) {
    while (!words.empty() && answer_.strategies.size() < kMostStrategies) {
      const std::size_t end = std::min(words.find_first_of(",;"), words.size());
      std::string tag;
      for (const char c : words.substr(0, end)) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
          tag += lower(c);
        } else if (!tag.empty() && tag.back() != '-') {
          tag += '-';
        }
        if (tag.size() == kLongestStrategy) break;
      }
      while (tag.ends_with('-')) tag.pop_back();
      const auto& all = answer_.strategies;
      if (!tag.empty() && std::find(all.begin(), all.end(), tag) == all.end()) {
        answer_.strategies.push_back(std::move(tag));
      }
      words.remove_prefix(std::min(end + 1, words.size()));
    }
  }

  std::vector<std::string> lines_;
  std::vector<std::string> rest_;
  std::vector<std::string> prose_;
  Answer answer_;
};

}  // namespace

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    std::string_view line = text.substr(0, end);
    const std::size_t last = line.find_last_not_of(" \t");
    lines.emplace_back(line.substr(0, last == line.npos ? 0 : last + 1));
    const bool both = text.substr(end).starts_with("\r\n");
    text.remove_prefix(std::min(end + (both ? 2 : 1), text.size()));
  }
  return lines;
}

Result<Answer> read_answer(std::string_view text) {
  return Reader(text).read();
}

}  // namespace evoke::llm
