// The tokens of words met lately: most words of a text come again.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace evoke::model {

// A fixed number of entries (2 MiB); a word takes the place of another whose
// hash has the same lower bits. One thread's own.
class WordCache {
 public:
  WordCache();

  static bool takes(std::string_view word) { return word.size() <= kBytes; }
  // Empty when the word is not there. Valid until the next add().
  std::span<const int32_t> find(std::string_view word) const;
  // Nothing happens when the word or its tokens are too many for an entry.
  void add(std::string_view word, std::span<const int32_t> ids);

 private:
  static constexpr std::size_t kBytes = 30;
  static constexpr std::size_t kIds = 8;
  struct alignas(64) Entry {
    std::array<char, kBytes> word;
    uint8_t word_bytes;
    uint8_t count;  // 0: free
    std::array<int32_t, kIds> ids;
  };
  static_assert(sizeof(Entry) == 64, "an entry is one line of the cache");

  static std::size_t place_of(std::string_view word);
  std::vector<Entry> entries_;
};

}  // namespace evoke::model
