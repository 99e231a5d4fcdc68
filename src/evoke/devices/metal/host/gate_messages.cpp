#include "evoke/devices/metal/host/gate_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <tuple>

namespace evoke::metal::host {
namespace {

// "file:line:column: kind: text", as clang writes it without carets.
struct Diagnostic {
  std::string_view file;
  int line = 0;
  std::string_view kind;
  std::string_view text;
};

std::optional<Diagnostic> parse(std::string_view line) {
  constexpr std::array<std::string_view, 4> kKinds{"fatal error", "error",
                                                   "warning", "note"};
  for (const std::string_view kind : kKinds) {
    const std::string mark = fmt::format(": {}: ", kind);
    const std::size_t at = line.find(mark);
    if (at == line.npos) continue;
    Diagnostic result;
    result.kind = kind == "fatal error" ? "error" : kind;
    result.text = line.substr(at + mark.size());
    std::string_view place = line.substr(0, at);
    for (int i = 0; i < 2; ++i) {
      const std::size_t colon = place.rfind(':');
      if (colon == place.npos) break;
      const std::string number(place.substr(colon + 1));
      if (number.empty() ||
          number.find_first_not_of("0123456789") != number.npos) {
        break;
      }
      result.line = std::atoi(number.c_str());
      place = place.substr(0, colon);
    }
    result.file = place;
    return result;
  }
  return std::nullopt;
}

std::vector<Diagnostic> parse_all(std::string_view output) {
  std::vector<Diagnostic> all;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    if (auto one = parse(output.substr(0, end))) all.push_back(*one);
    output.remove_prefix(std::min(end + 1, output.size()));
  }
  return all;
}

bool is_file(std::string_view file, std::string_view label) {
  return file == label ||
         (file.size() > label.size() && file.ends_with(label) &&
          file[file.size() - label.size() - 1] == '/');
}

// Names of ours that stand for Metal's.
std::string in_metals_words(std::string_view text) {
  if (text.starts_with("variable length array")) {
    return "variable length arrays are not supported in Metal; make the size "
           "a constant";
  }
  // One of ours, which says all that there is to say.
  if (const std::size_t own = text.find("evoke_total_"); own != text.npos) {
    const std::size_t said = text.find("': ", own);
    if (said != text.npos) return std::string(text.substr(said + 3));
  }
  std::string out(text);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kWords{
      {{"metal::evoke_atomic<", "atomic<"},
       {"evoke_atomic<", "atomic<"},
       {"metal::vec<", "vec<"},
       {"__attribute__((address_space(", "address_space(("}}};
  for (const auto& [from, to] : kWords) {
    for (std::size_t at = out.find(from); at != out.npos;
         at = out.find(from, at + to.size())) {
      out.replace(at, from.size(), to);
    }
  }
  return out;
}

bool names_address_space(std::string_view text) {
  constexpr std::array<std::string_view, 6> kNames{
      "'device ",   "'const device ", "'threadgroup ", "'const threadgroup ",
      "'constant ", "address space"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view name) {
    return text.find(name) != text.npos;
  });
}

bool is_pointer_message(std::string_view text) {
  constexpr std::array<std::string_view, 6> kStarts{
      "cannot initialize", "assigning",    "static_cast",
      "reinterpret_cast",  "C-style cast", "incompatible"};
  return std::any_of(
      kStarts.begin(), kStarts.end(),
      [&](std::string_view start) { return text.starts_with(start); });
}

// Where a dump of clang's syntax tree is: each place leaves out what it shares
// with the one before: "file:12:3", "line:12:3", "col:3".
class DumpPlace {
 public:
  explicit DumpPlace(std::string_view label) : label_(label) {}
  void move_to(std::string_view text) {
    const std::size_t column = text.rfind(':');
    if (column == text.npos || column == 0) return;
    const std::size_t line = text.rfind(':', column - 1);
    if (line == text.npos) return;
    const int number = std::atoi(std::string(text.substr(line + 1)).c_str());
    if (number == 0) return;
    if (text.substr(0, line) != "line") {
      ours_ = is_file(text.substr(0, line), label_);
    }
    line_ = number;
  }
  bool is_ours() const { return ours_; }
  int line() const { return line_; }

 private:
  std::string_view label_;
  bool ours_ = false;
  int line_ = 0;
};

}  // namespace

std::vector<GateMessage> type_messages(std::string_view output,
                                       std::string_view label) {
  const auto all = parse_all(output);
  std::vector<GateMessage> messages;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Diagnostic& each = all[i];
    if (each.kind == "note") continue;
    GateMessage message{0, each.kind == "error", in_metals_words(each.text)};
    if (is_file(each.file, label)) {
      message.line = each.line;
    } else {
      if (each.kind != "error") continue;
      for (std::size_t j = i + 1; j < all.size() && all[j].kind == "note";
           ++j) {
        if (!is_file(all[j].file, label)) continue;
        message.line = all[j].line;
        break;
      }
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

std::vector<GateMessage> address_space_messages(std::string_view output,
                                                std::string_view label) {
  const auto all = parse_all(output);
  std::vector<GateMessage> messages;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Diagnostic& each = all[i];
    if (!is_file(each.file, label) || each.kind == "note") continue;
    if (each.kind == "warning") {
      if (each.text.find("uninitialized") == each.text.npos) continue;
      const std::size_t option = each.text.rfind(" [-W");
      messages.push_back({each.line, true,
                          in_metals_words(each.text.substr(0, option)) +
                              " (Metal only warns; the value is anything)"});
      continue;
    }
    bool keep = is_pointer_message(each.text) && names_address_space(each.text);
    std::string text(each.text);
    if (each.text.starts_with("no matching function for call to")) {
      for (std::size_t j = i + 1; j < all.size() && all[j].kind == "note";
           ++j) {
        if (all[j].text.find("address space mismatch") == all[j].text.npos ||
            !is_file(all[j].file, label)) {
          continue;
        }
        keep = true;
        text += "; ";
        text += all[j].text;
        break;
      }
    }
    if (keep) messages.push_back({each.line, true, in_metals_words(text)});
  }
  return messages;
}

std::vector<GateMessage> integer_cast_messages(std::string_view dump,
                                               std::string_view label) {
  std::vector<GateMessage> messages;
  DumpPlace place(label);
  while (!dump.empty()) {
    const std::size_t end = std::min(dump.find('\n'), dump.size());
    const std::string_view node = dump.substr(0, end);
    dump.remove_prefix(std::min(end + 1, dump.size()));
    // "|-Node 0x5581 <begin, end> name's place 'type' ..."
    const std::size_t open = node.find(" <");
    const std::size_t close = node.find('>', open);
    if (open == node.npos || close == node.npos) continue;
    std::string_view range = node.substr(open + 2, close - open - 2);
    place.move_to(range.substr(0, range.find(',')));
    const bool ours = place.is_ours();
    const int line = place.line();
    if (const std::size_t comma = range.find(", "); comma != range.npos) {
      place.move_to(range.substr(comma + 2));
    }
    const std::string_view rest = node.substr(std::min(close + 2, node.size()));
    place.move_to(rest.substr(0, rest.find(' ')));
    if (ours && rest.find("<IntegralToPointer>") != rest.npos) {
      messages.push_back(
          {line, true,
           "an integer becomes a pointer; kernels take pointers from their "
           "arguments and variables alone"});
    }
  }
  return messages;
}

std::string to_text(std::vector<GateMessage> messages, std::string_view path,
                    std::size_t max_messages) {
  const auto key = [](const GateMessage& message) {
    return std::tie(message.line, message.text);
  };
  std::stable_sort(
      messages.begin(), messages.end(),
      [&](const auto& a, const auto& b) { return key(a) < key(b); });
  messages.erase(std::unique(messages.begin(), messages.end(),
                             [&](const auto& a, const auto& b) {
                               return key(a) == key(b);
                             }),
                 messages.end());
  std::string out;
  std::size_t count = 0;
  for (const GateMessage& each : messages) {
    if (++count > max_messages) {
      fmt::format_to(std::back_inserter(out), "... and {} more\n",
                     messages.size() - max_messages);
      break;
    }
    const std::string place = each.line > 0
                                  ? fmt::format("{}:{}", path, each.line)
                                  : std::string(path);
    fmt::format_to(std::back_inserter(out), "{}: {}: {}\n", place,
                   each.error ? "error" : "warning", each.text);
  }
  return out;
}

}  // namespace evoke::metal::host
