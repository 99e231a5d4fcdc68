#include "evoke/base/json.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "evoke/base/utf8.h"

namespace evoke {
namespace {

// 0: stands for itself; else what follows the backslash, 'u' with four digits.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> escapes{};
  for (std::size_t c = 0; c < 0x20; ++c) escapes[c] = 'u';
  escapes['\b'] = 'b';
  escapes['\t'] = 't';
  escapes['\n'] = 'n';
  escapes['\f'] = 'f';
  escapes['\r'] = 'r';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  return escapes;
}();

// Whether one of eight bytes has an escape: below 0x20, '"' or '\\'. Never
// wrong when there is one.
bool may_hold_escape(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  const auto has_zero = [](uint64_t word) { return (word - kOnes) & ~word; };
  const uint64_t below = (bytes - kOnes * 0x20) & ~bytes;
  return ((below | has_zero(bytes ^ (kOnes * '"')) |
           has_zero(bytes ^ (kOnes * '\\'))) &
          (kOnes << 7)) != 0;
}

// Of the first byte from `at` on that has an escape, or the text's size.
std::size_t find_escape(std::string_view text, std::size_t at) {
  for (uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if (may_hold_escape(word)) break;
  }
  const auto escape = [&] {
    return kEscapes[static_cast<unsigned char>(text[at])];
  };
  while (at < text.size() && escape() == 0) ++at;
  return at;
}

void append_text(std::string_view text, std::string& out) {
  std::string mended;
  if (find_invalid_utf8(text) != std::string_view::npos) {
    mended = to_valid_utf8(text);
    text = mended;
  }
  out.push_back('"');
  for (std::size_t done = 0;;) {
    const std::size_t at = find_escape(text, done);
    out.append(text, done, at - done);
    if (at == text.size()) break;
    done = at + 1;
    const auto byte = static_cast<unsigned char>(text[at]);
    out.push_back('\\');
    out.push_back(kEscapes[byte]);
    if (kEscapes[byte] != 'u') continue;
    constexpr std::string_view kDigits = "0123456789abcdef";
    out.append("00");
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  out.push_back('"');
}

void append(const Json& json, std::string& out) {
  const char* separator = "";
  switch (json.type()) {
    case Json::value_t::object:
      out.push_back('{');
      for (const auto& [name, value] : json.items()) {
        out.append(separator);
        separator = ",";
        append_text(name, out);
        out.push_back(':');
        append(value, out);
      }
      out.push_back('}');
      return;
    case Json::value_t::array:
      out.push_back('[');
      for (const Json& value : json) {
        out.append(separator);
        separator = ",";
        append(value, out);
      }
      out.push_back(']');
      return;
    case Json::value_t::string:
      return append_text(json.get_ref<const std::string&>(), out);
    default:
      out.append(json.dump());
  }
}

}  // namespace

// nlohmann's own dump decodes texts byte by byte, which for the prompts of
// language models was an eighth of all that a run without a wait does.
std::string dump_json(const Json& json, int indent) {
  if (indent >= 0) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
  }
  std::string out;
  append(json, out);
  return out;
}

}  // namespace evoke
