#include "evoke/model/tokenizer/word_cache.h"

#include <algorithm>
#include <cstring>

#include "evoke/base/hash.h"

namespace evoke::model {
namespace {

constexpr std::size_t kEntries = 1 << 15;

}  // namespace

WordCache::WordCache() : entries_(kEntries) {}

std::size_t WordCache::place_of(std::string_view word) {
  return static_cast<std::size_t>(hash_u64(word)) & (kEntries - 1);
}

std::span<const int32_t> WordCache::find(std::string_view word) const {
  const Entry& entry = entries_[place_of(word)];
  const bool same =
      entry.count > 0 && entry.word_bytes == word.size() &&
      std::memcmp(entry.word.data(), word.data(), word.size()) == 0;
  return {entry.ids.data(), same ? entry.count : std::size_t{0}};
}

void WordCache::add(std::string_view word, std::span<const int32_t> ids) {
  if (!takes(word) || ids.empty() || ids.size() > kIds) return;
  Entry& entry = entries_[place_of(word)];
  std::copy(word.begin(), word.end(), entry.word.begin());
  std::copy(ids.begin(), ids.end(), entry.ids.begin());
  entry.word_bytes = static_cast<uint8_t>(word.size());
  entry.count = static_cast<uint8_t>(ids.size());
}

}  // namespace evoke::model
