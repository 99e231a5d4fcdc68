#include <algorithm>

#include "evoke/attention/mutant_families.h"

namespace evoke::attention {
namespace {

using Keys = std::vector<int64_t>;

// Rows that see the first `count(place)` keys, clamped to 1 .. Lk.
template <typename Count>
Mutant seeing(std::string name, std::string description, Count count) {
  Recipe recipe;
  recipe.keys = [count](const RowPlace& place, Keys& keys) {
    keys.resize(std::clamp<int64_t>(count(place), 1, place.shape.Lk));
    for (std::size_t j = 0; j < keys.size(); ++j) {
      keys[j] = static_cast<int64_t>(j);
    }
  };
  return from_recipe(std::move(name), std::move(description),
                     std::move(recipe));
}

template <typename Head>
Mutant mapped(std::string name, std::string description, Head head) {
  Recipe recipe;
  recipe.kv_head = head;
  return from_recipe(std::move(name), std::move(description),
                     std::move(recipe));
}

}  // namespace

std::vector<Mutant> mask_mutants() {
  std::vector<Mutant> mutants;
  mutants.push_back(
      seeing("causal aligned at the top left", "query i sees keys 0 .. i",
             [](const RowPlace& place) {
               return place.shape.causal ? place.i + 1 : place.visible;
             }));
  mutants.push_back(
      seeing("mask hides the diagonal", "j < i where it should be j <= i",
             [](const RowPlace& place) {
               return place.visible - (place.shape.causal ? 1 : 0);
             }));
  mutants.push_back(
      seeing("mask shows one key too many",
             "j <= i + 1 where it should be j <= i", [](const RowPlace& place) {
               return place.visible + (place.shape.causal ? 1 : 0);
             }));
  mutants.push_back(
      seeing("no mask", "causal is ignored",
             [](const RowPlace& place) { return place.shape.Lk; }));
  mutants.push_back(
      seeing("mask in steps of 16", "whole tiles are masked, never single keys",
             [](const RowPlace& place) {
               return place.shape.causal ? (place.visible + 15) / 16 * 16
                                         : place.visible;
             }));
  Recipe window;
  window.keys = [](const RowPlace&, Keys& keys) {
    constexpr std::size_t kWindow = 1024;
    if (keys.size() > kWindow) keys.erase(keys.begin(), keys.end() - kWindow);
  };
  mutants.push_back(from_recipe("last 1024 keys only",
                                "a sliding window nobody asked for",
                                std::move(window)));
  Recipe head_only;
  head_only.keys = [](const RowPlace&, Keys& keys) {
    keys.resize(std::min<std::size_t>(keys.size(), 1000));
  };
  mutants.push_back(from_recipe("first 1000 keys only",
                                "a fixed buffer is too small",
                                std::move(head_only)));
  mutants.push_back(mapped(
      "heads dealt out in turn", "key/value head is h % Hkv, not h / group",
      [](const RowPlace& place) { return place.head % place.shape.Hkv; }));
  mutants.push_back(mapped("key/value head 0 for all",
                           "the head offset is forgotten",
                           [](const RowPlace&) { return int64_t{0}; }));
  mutants.push_back(
      mapped("next key/value head", "the group size is rounded up",
             [](const RowPlace& place) {
               return (place.head / place.shape.group() + 1) % place.shape.Hkv;
             }));
  Recipe batch;
  batch.kv_batch = [](const RowPlace&) { return int64_t{0}; };
  mutants.push_back(from_recipe("key and value of batch 0",
                                "the batch stride is forgotten",
                                std::move(batch)));
  return mutants;
}

}  // namespace evoke::attention
