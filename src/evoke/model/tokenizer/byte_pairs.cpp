#include "evoke/model/tokenizer/byte_pairs.h"

#include <algorithm>
#include <bit>

namespace evoke::model {
namespace {

// Up to this many tokens, looking at all pairs for each merge is cheaper than
// keeping a heap of them.
constexpr std::size_t kShort = 64;

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
}
int32_t rank_of(uint64_t merge) { return static_cast<int32_t>(merge >> 32); }
int32_t merged_of(uint64_t merge) {
  return static_cast<int32_t>(merge & 0xffffffff);
}

// The order of a heap whose top is the next step.
bool comes_later(const BytePairs::Workspace::Step& a,
                 const BytePairs::Workspace::Step& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

}  // namespace

BytePairs::BytePairs(std::span<const Merge> merges) {
  const std::size_t size =
      std::bit_ceil(std::max<std::size_t>(2 * merges.size(), 16));
  slots_.assign(size, Slot{kNone, kNone});
  shift_ = 64 - std::countr_zero(size);
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t pair = pair_of(merges[rank].left, merges[rank].right);
    std::size_t at = home_of(pair);
    while (slots_[at].pair != kNone && slots_[at].pair != pair) {
      at = (at + 1) & (slots_.size() - 1);
    }
    slots_[at] = {pair, static_cast<uint64_t>(rank) << 32 |
                            static_cast<uint32_t>(merges[rank].merged)};
  }
}

uint64_t BytePairs::find(int32_t left, int32_t right) const {
  const uint64_t pair = pair_of(left, right);
  std::size_t at = home_of(pair);
  while (slots_[at].pair != pair) {
    if (slots_[at].pair == kNone) return kNone;
    at = (at + 1) & (slots_.size() - 1);
  }
  return slots_[at].merge;
}

void BytePairs::merge(Workspace& workspace) const {
  if (workspace.ids.size() <= kShort) {
    merge_short(workspace);
  } else {
    merge_long(workspace);
  }
}

void BytePairs::merge_short(Workspace& workspace) const {
  std::vector<int32_t>& ids = workspace.ids;
  std::vector<uint64_t>& merges = workspace.merges;
  if (ids.size() < 2) return;
  merges.resize(ids.size() - 1);
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    merges[i] = find(ids[i], ids[i + 1]);
  }
  for (;;) {
    // Ranks are the upper halves: the least merge is that of the least rank,
    // and min_element takes the leftmost.
    const auto best = std::min_element(merges.begin(), merges.end());
    if (best == merges.end() || *best == kNone) return;
    const auto i = static_cast<std::size_t>(best - merges.begin());
    ids[i] = merged_of(*best);
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    merges.erase(best);
    if (i > 0) merges[i - 1] = find(ids[i - 1], ids[i]);
    if (i < merges.size()) merges[i] = find(ids[i], ids[i + 1]);
  }
}

void BytePairs::merge_long(Workspace& workspace) const {
  std::vector<Workspace::Symbol>& symbols = workspace.symbols;
  std::vector<Workspace::Step>& steps = workspace.steps;
  const auto size = static_cast<int32_t>(workspace.ids.size());
  symbols.clear();
  steps.clear();
  for (int32_t i = 0; i < size; ++i) {
    symbols.push_back({workspace.ids[static_cast<std::size_t>(i)], i - 1,
                       i + 1 < size ? i + 1 : -1});
  }
  const auto symbol = [&](int32_t position) -> Workspace::Symbol& {
    return symbols[static_cast<std::size_t>(position)];
  };
  const auto merge_at = [&](int32_t position) {
    const int32_t next = symbol(position).next;
    return next < 0 ? kNone : find(symbol(position).id, symbol(next).id);
  };
  const auto plan = [&](int32_t position) {
    const uint64_t merge = merge_at(position);
    if (merge == kNone) return false;
    steps.push_back({rank_of(merge), position, merged_of(merge)});
    return true;
  };
  for (int32_t i = 0; i < size; ++i) plan(i);
  std::make_heap(steps.begin(), steps.end(), comes_later);

  constexpr int32_t kGone = -1;
  while (!steps.empty()) {
    std::pop_heap(steps.begin(), steps.end(), comes_later);
    const Workspace::Step step = steps.back();
    steps.pop_back();
    Workspace::Symbol& left = symbol(step.position);
    if (left.id == kGone) continue;
    // A step is out of date when one of its two was merged with another.
    const uint64_t merge = merge_at(step.position);
    if (merge == kNone || rank_of(merge) != step.rank) continue;
    Workspace::Symbol& right = symbol(left.next);
    left.id = step.merged;
    left.next = right.next;
    right.id = kGone;
    if (left.next >= 0) symbol(left.next).previous = step.position;
    for (const int32_t changed : {left.previous, step.position}) {
      if (changed >= 0 && plan(changed)) {
        std::push_heap(steps.begin(), steps.end(), comes_later);
      }
    }
  }
  workspace.ids.clear();
  for (int32_t i = 0; i >= 0; i = symbol(i).next) {
    workspace.ids.push_back(symbol(i).id);
  }
}

}  // namespace evoke::model
