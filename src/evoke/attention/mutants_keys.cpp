#include <algorithm>

#include "evoke/attention/mutant_families.h"

namespace evoke::attention {
namespace {

constexpr int64_t kTile = 64;

using Keys = std::vector<int64_t>;

// The list of keys, changed by `edit`.
template <typename Edit>
Mutant edited_keys(std::string name, std::string description, Edit edit) {
  Recipe recipe;
  recipe.keys = [edit](const RowPlace& place, Keys& keys) {
    if (!keys.empty()) edit(place, keys);
  };
  return from_recipe(std::move(name), std::move(description),
                     std::move(recipe));
}

void erase(Keys& keys, int64_t first, int64_t last) {
  const auto size = static_cast<int64_t>(keys.size());
  keys.erase(keys.begin() + std::clamp<int64_t>(first, 0, size),
             keys.begin() + std::clamp<int64_t>(last, 0, size));
}

int64_t size_of(const Keys& keys) { return static_cast<int64_t>(keys.size()); }

}  // namespace

std::vector<Mutant> key_mutants() {
  std::vector<Mutant> mutants;
  mutants.push_back(edited_keys("drop last key", "a loop ends one early",
                                [](const RowPlace&, Keys& keys) {
                                  if (keys.size() > 1) keys.pop_back();
                                }));
  mutants.push_back(edited_keys("drop first key", "a loop starts one late",
                                [](const RowPlace&, Keys& keys) {
                                  if (keys.size() > 1) erase(keys, 0, 1);
                                }));
  mutants.push_back(edited_keys("drop one middle key",
                                "one lane of a reduction is lost",
                                [](const RowPlace&, Keys& keys) {
                                  const int64_t middle = size_of(keys) / 2;
                                  if (middle > 0)
                                    erase(keys, middle, middle + 1);
                                }));
  mutants.push_back(
      edited_keys("drop one 64-key tile", "a tile of the main loop is skipped",
                  [](const RowPlace&, Keys& keys) {
                    const int64_t tile = size_of(keys) / kTile / 2;
                    erase(keys, tile * kTile, (tile + 1) * kTile);
                  }));
  mutants.push_back(edited_keys(
      "drop the partial tile", "only whole tiles of 64 are computed",
      [](const RowPlace&, Keys& keys) {
        const int64_t whole = size_of(keys) / kTile * kTile;
        if (whole > 0) erase(keys, whole, size_of(keys));
      }));
  mutants.push_back(edited_keys("key 0 twice", "the prologue is repeated",
                                [](const RowPlace&, Keys& keys) {
                                  keys.insert(keys.begin(), keys.front());
                                }));
  mutants.push_back(edited_keys(
      "last key twice", "the epilogue is repeated",
      [](const RowPlace&, Keys& keys) { keys.push_back(keys.back()); }));
  mutants.push_back(edited_keys(
      "one key past the end, zero", "a loop ends one late, memory is zero",
      [](const RowPlace&, Keys& keys) { keys.push_back(kZeroKey); }));
  mutants.push_back(edited_keys("padded to 64 with zero keys",
                                "the last tile is not masked",
                                [](const RowPlace&, Keys& keys) {
                                  while (size_of(keys) % kTile != 0)
                                    keys.push_back(kZeroKey);
                                }));
  mutants.push_back(edited_keys("every second key", "the stride is doubled",
                                [](const RowPlace&, Keys& keys) {
                                  Keys kept;
                                  for (std::size_t j = 0; j < keys.size();
                                       j += 2) {
                                    kept.push_back(keys[j]);
                                  }
                                  keys = kept;
                                }));
  mutants.push_back(
      edited_keys("last split lost", "seven of eight parts are combined",
                  [](const RowPlace&, Keys& keys) {
                    if (keys.size() >= 8)
                      erase(keys, size_of(keys) * 7 / 8, size_of(keys));
                  }));
  mutants.push_back(edited_keys(
      "first tile counted twice", "two parts overlap by a tile of 16",
      [](const RowPlace&, Keys& keys) {
        const Keys head(keys.begin(),
                        keys.begin() + std::min<int64_t>(16, size_of(keys)));
        keys.insert(keys.end(), head.begin(), head.end());
      }));

  Recipe shifted;
  shifted.value_of = [](const RowPlace& place, int64_t key) {
    return std::min(key + 1, place.visible - 1);
  };
  mutants.push_back(from_recipe("values one row late",
                                "the value pointer is advanced too early",
                                std::move(shifted)));
  Recipe swapped;
  swapped.value_of = [](const RowPlace& place, int64_t key) {
    return (key ^ 1) < place.visible ? (key ^ 1) : key;
  };
  mutants.push_back(from_recipe("values swapped in pairs",
                                "a fragment of P is transposed wrongly",
                                std::move(swapped)));
  return mutants;
}

}  // namespace evoke::attention
