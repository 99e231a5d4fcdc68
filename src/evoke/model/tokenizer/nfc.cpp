#include "evoke/model/tokenizer/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "evoke/model/tokenizer/code_points.h"
#include "evoke/model/tokenizer/unicode_differences.h"

namespace evoke::model {
namespace {

// Beyond it nothing is looked up: such characters take the slow way.
constexpr char32_t kTableEnd = 0x30000;
constexpr auto kCompose =
    static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
constexpr auto kDecompose =
    static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
// No character decomposes into more.
constexpr std::size_t kMostParts = 32;

int combining_class(int32_t c) {
  return utf8proc_get_property(c)->combining_class;
}

std::size_t decompose(char32_t c, int32_t* parts) {
  int boundary = 0;
  const auto n = utf8proc_decompose_char(
      static_cast<int32_t>(c), parts, static_cast<utf8proc_ssize_t>(kMostParts),
      kDecompose, &boundary);
  return static_cast<std::size_t>(std::max<utf8proc_ssize_t>(n, 0));
}

// A character is inert when it stays itself in form C, never moves and never
// joins the one before it: text of inert characters is in form C, and what
// stands before one has no bearing on what comes after it.
class InertTable {
 public:
  InertTable() : inert_(std::make_unique<std::bitset<kTableEnd>>()) {
    inert_->set();
    for (char32_t c = 0; c < kTableEnd; ++c) {
      if (is_surrogate(c)) continue;
      if (combining_class(static_cast<int32_t>(c)) != 0) inert_->reset(c);
      int32_t parts[kMostParts];
      const std::size_t n = decompose(c, parts);
      if (n == 1 && static_cast<char32_t>(parts[0]) == c) continue;
      for (std::size_t i = 1; i < n; ++i) {
        inert_->reset(static_cast<std::size_t>(parts[i]));
      }
      if (!recomposes(c, parts, n)) inert_->reset(c);
    }
    // They join what stands before them, whatever that is.
    for (char32_t c = 0x1160; c < 0x1200; ++c) inert_->reset(c);
    for (const char32_t c : characters_unknown_to_nfc()) inert_->set(c);
  }

  bool contains(char32_t c) const {
    return c < 0x300 || (c < kTableEnd && inert_->test(c));
  }

 private:
  static bool is_surrogate(char32_t c) { return c >= 0xd800 && c <= 0xdfff; }
  static bool recomposes(char32_t c, const int32_t* parts, std::size_t n) {
    int32_t copy[kMostParts];
    std::copy_n(parts, n, copy);
    const auto composed = utf8proc_normalize_utf32(
        copy, static_cast<utf8proc_ssize_t>(n), kCompose);
    return composed == 1 && static_cast<char32_t>(copy[0]) == c;
  }

  std::unique_ptr<std::bitset<kTableEnd>> inert_;
};

const InertTable& inert_table() {
  static const InertTable table;
  return table;
}

// utf8proc orders marks by exchanging neighbours, which takes quadratic time
// on a long run of them; so they are put in order here.
void append_composed(std::string_view text, std::string& result) {
  std::vector<int32_t> parts;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    const std::size_t known = parts.size();
    parts.resize(known + kMostParts);
    parts.resize(known + decompose(c.value, parts.data() + known));
    at += c.bytes;
  }
  const auto is_starter = [](int32_t c) { return combining_class(c) == 0; };
  for (auto run = parts.begin(); run != parts.end();) {
    run = std::find_if_not(run, parts.end(), is_starter);
    const auto end = std::find_if(run, parts.end(), is_starter);
    std::stable_sort(run, end, [](int32_t a, int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    run = end;
  }
  const auto n = utf8proc_normalize_utf32(
      parts.data(), static_cast<utf8proc_ssize_t>(parts.size()), kCompose);
  for (utf8proc_ssize_t i = 0; i < n; ++i) {
    append_utf8(result, static_cast<char32_t>(parts[static_cast<size_t>(i)]));
  }
}

bool eight_are_ascii(std::string_view text, std::size_t at) {
  uint64_t word = 0;
  if (at + sizeof(word) > text.size()) return false;
  std::memcpy(&word, text.data() + at, sizeof(word));
  return (word & 0x8080808080808080) == 0;
}

}  // namespace

std::string_view to_nfc(std::string_view text, std::string& storage) {
  const InertTable& inert = inert_table();
  storage.clear();
  std::size_t done = 0;  // what stands before is in `storage`
  // Where a change would begin: at the latest inert character, which may join
  // what follows; behind one that Hugging Face's tables do not know.
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (eight_are_ascii(text, at)) {
      at += 8;
      begin = at - 1;
      continue;
    }
    const CodePoint c = code_point_at(text, at);
    if (inert.contains(c.value)) {
      begin = is_unknown_to_nfc(c.value) ? at + c.bytes : at;
      at += c.bytes;
      continue;
    }
    at += c.bytes;
    while (at < text.size()) {
      const CodePoint next = code_point_at(text, at);
      if (inert.contains(next.value)) break;
      at += next.bytes;
    }
    storage.append(text.substr(done, begin - done));
    append_composed(text.substr(begin, at - begin), storage);
    done = begin = at;
  }
  if (done == 0) return text;
  storage.append(text.substr(done));
  return storage;
}

}  // namespace evoke::model
