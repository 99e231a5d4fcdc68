// Byte-pair encoding (Sennrich et al. 2016): a word begins as one token per
// byte; of all neighbours that may be merged, those of the lowest rank are,
// the leftmost first, until none is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace evoke::model {

// What two neighbours become. Ranks are unique.
struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t merged = 0;
};

class BytePairs {
 public:
  // `merges` in the order of their ranks, the first to be done first. Where a
  // pair comes twice, the later one holds.
  explicit BytePairs(std::span<const Merge> merges);

  // One thread's working memory, reused from word to word.
  struct Workspace {
    struct Symbol {
      int32_t id;
      int32_t previous;
      int32_t next;
    };
    struct Step {
      int32_t rank;
      int32_t position;
      int32_t merged;
    };
    std::vector<int32_t> ids;
    std::vector<uint64_t> merges;  // of ids[i] and ids[i + 1]
    std::vector<Symbol> symbols;
    std::vector<Step> steps;  // a heap
  };

  // Merges the tokens in `workspace.ids` in place.
  void merge(Workspace& workspace) const;

 private:
  struct Slot {
    uint64_t pair;
    uint64_t merge;  // rank << 32 | merged
  };
  static constexpr uint64_t kNone = UINT64_MAX;

  std::size_t home_of(uint64_t pair) const {
    return static_cast<std::size_t>(pair * 0x9e3779b97f4a7c15 >> shift_);
  }
  // rank << 32 | merged, or kNone.
  uint64_t find(int32_t left, int32_t right) const;
  void merge_short(Workspace& workspace) const;
  void merge_long(Workspace& workspace) const;

  std::vector<Slot> slots_;  // open addressing, at most half full
  int shift_ = 0;
};

}  // namespace evoke::model
