#include "evoke/devices/diagnostics.h"

#include <algorithm>
#include <cctype>

#include "evoke/base/utf8.h"

namespace evoke {
namespace {

bool is_path_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("/._-+~@").find(c) != std::string_view::npos;
}

// Length of the absolute path at the start of `text`; 0 when there is none.
// "/ b" and "// text" are no paths.
std::size_t path_length(std::string_view text) {
  if (text.size() < 3 || text[0] != '/' ||
      std::isalnum(static_cast<unsigned char>(text[1])) == 0) {
    return 0;
  }
  const auto* const end =
      std::find_if_not(text.begin(), text.end(), is_path_letter);
  const auto length = static_cast<std::size_t>(end - text.begin());
  return text.substr(1, length - 1).find('/') == text.npos ? 0 : length;
}

std::string without_folders(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size();) {
    const bool starts = i == 0 || !is_path_letter(line[i - 1]);
    const std::size_t length = starts ? path_length(line.substr(i)) : 0;
    if (length == 0) {
      out += line[i++];
      continue;
    }
    const std::string_view path = line.substr(i, length);
    out += path.substr(path.rfind('/') + 1);
    i += length;
  }
  return out;
}

bool is_noise(std::string_view line) {
  const std::size_t first = line.find_first_not_of(' ');
  const std::string_view text =
      first == line.npos ? std::string_view() : line.substr(first);
  return text.starts_with("In file included from") ||
         text.starts_with("compilation terminated") ||
         (text.starts_with("from ") &&
          (text.ends_with(':') || text.ends_with(',')));
}

}  // namespace

std::string clean_diagnostics(std::string_view text, std::size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (is_noise(line)) continue;
    const std::string clean = without_folders(to_valid_utf8(line));
    if (out.size() + clean.size() + 1 > max_bytes) {
      out += "...\n";
      break;
    }
    out += clean;
    out += '\n';
  }
  return out;
}

}  // namespace evoke
