#include "evoke/model/tokenizer/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>

#include "evoke/model/tokenizer/code_points.h"
#include "evoke/model/tokenizer/unicode_differences.h"

namespace evoke::model {
namespace {

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool word_before =
      begin > 0 &&
      is_word_character(
          code_point_at(text, previous_character(text, begin)).value);
  const bool word_behind =
      end < text.size() && is_word_character(code_point_at(text, end).value);
  return !word_before && !word_behind;
}

// Where the white space that ends at `end` begins.
std::size_t space_before(std::string_view text, std::size_t end) {
  while (end > 0) {
    const std::size_t begin = previous_character(text, end);
    if (!is_white_space(code_point_at(text, begin).value)) break;
    end = begin;
  }
  return end;
}

std::size_t space_behind(std::string_view text, std::size_t begin) {
  while (begin < text.size()) {
    const CodePoint c = code_point_at(text, begin);
    if (!is_white_space(c.value)) break;
    begin += c.bytes;
  }
  return begin;
}

bool is_word_here(char32_t c) {
  // Circled and squared letters are symbols that count as alphabetic; the
  // zero-width joiners join.
  if ((c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
      (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189) ||
      c == 0x200c || c == 0x200d) {
    return true;
  }
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

}  // namespace

AddedTokens::AddedTokens(
    std::span<const std::pair<std::string, AddedToken>> texts)
    : nodes_(1) {
  for (const auto& [text, token] : texts) {
    int32_t node = 0;
    for (const char c : text) {
      const auto [entry, fresh] =
          nodes_[static_cast<std::size_t>(node)].next.try_emplace(
              c, static_cast<int32_t>(nodes_.size()));
      node = entry->second;
      if (fresh) nodes_.emplace_back();
    }
    nodes_[static_cast<std::size_t>(node)].token =
        static_cast<int32_t>(tokens_.size());
    tokens_.push_back(token);
    begins_token_[static_cast<unsigned char>(text.front())] = true;
  }
}

AddedTokens::Match AddedTokens::match_at(std::string_view text,
                                         std::size_t at) const {
  Match longest;
  int32_t node = 0;
  for (std::size_t end = at; end < text.size(); ++end) {
    const auto& next = nodes_[static_cast<std::size_t>(node)].next;
    const auto entry = next.find(text[end]);
    if (entry == next.end()) break;
    node = entry->second;
    const int32_t token = nodes_[static_cast<std::size_t>(node)].token;
    if (token >= 0) longest = {end + 1 - at, token};
  }
  return longest;
}

void AddedTokens::split(std::string_view text,
                        std::vector<Piece>& pieces) const {
  pieces.clear();
  std::size_t done = 0;
  for (std::size_t at = 0; !tokens_.empty() && at < text.size();) {
    Match match;
    if (begins_token_[static_cast<unsigned char>(text[at])]) {
      match = match_at(text, at);
    }
    if (match.token < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(match.token)];
    std::size_t begin = at;
    std::size_t end = at + match.bytes;
    at = end;
    if (token.single_word && !stands_alone(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(space_before(text, begin), done);
    if (token.rstrip) end = space_behind(text, end);
    if (done < begin) pieces.push_back({done, begin, kText});
    pieces.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) pieces.push_back({done, text.size(), kText});
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_word_character(char32_t c) {
  return is_word_in_rust(c, is_word_here(c));
}

}  // namespace evoke::model
