#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "evoke/attention/mutant_families.h"
#include "evoke/base/rng.h"

namespace evoke::attention {
namespace {

// What one random mutant gets wrong; at least one field is set.
struct Faults {
  double drop_share = 0;  // of keys, by a hash of their index
  int64_t tile = 0;       // skips one tile of this many keys per row ...
  int64_t tile_seed = 0;  // ... chosen by this
  NumberFormat query = NumberFormat::float32;
  NumberFormat key = NumberFormat::float32;
  NumberFormat value = NumberFormat::float32;
  NumberFormat probability = NumberFormat::bfloat16;
  int64_t accumulator_tile = 0;  // > 0: bf16 O, rounded so often
};

bool drops(double share, uint64_t seed, int64_t key) {
  uint64_t z = seed + 0x9e3779b97f4a7c15 * static_cast<uint64_t>(key + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>(z >> 11) * 0x1p-53 < share;
}

Faults draw(Rng& rng) {
  constexpr std::array kCoarse = {NumberFormat::float8_e4m3,
                                  NumberFormat::float8_e5m2};
  Faults faults;
  bool any = false;
  while (!any) {
    if (rng.chance(0.3)) {
      faults.drop_share = std::exp2(-1.0 - 7.0 * rng.uniform());
      any = true;
    }
    if (rng.chance(0.3)) {
      faults.tile = int64_t{4} << rng.below(5);  // 4 .. 64
      faults.tile_seed = static_cast<int64_t>(rng.below(1000));
      any = true;
    }
    for (NumberFormat* operand :
         {&faults.query, &faults.key, &faults.value, &faults.probability}) {
      if (!rng.chance(0.15)) continue;
      *operand = rng.pick(kCoarse);
      any = true;
    }
    if (rng.chance(0.15)) {
      faults.accumulator_tile = int64_t{1} << rng.below(5);  // 1 .. 16
      any = true;
    }
  }
  return faults;
}

std::string describe(const Faults& faults) {
  std::string text;
  const auto add = [&](const std::string& part) {
    text += (text.empty() ? "" : ", ") + part;
  };
  if (faults.drop_share > 0) {
    add(fmt::format("{:.2g} % of keys dropped", 100 * faults.drop_share));
  }
  if (faults.tile > 0) add(fmt::format("a tile of {} skipped", faults.tile));
  const auto operand = [&](const char* name, NumberFormat format) {
    if (format == NumberFormat::float8_e4m3 ||
        format == NumberFormat::float8_e5m2) {
      add(fmt::format("{} in {}", name, to_string(format)));
    }
  };
  operand("Q", faults.query);
  operand("K", faults.key);
  operand("V", faults.value);
  operand("P", faults.probability);
  if (faults.accumulator_tile > 0) {
    add(fmt::format("bf16 O every {} keys", faults.accumulator_tile));
  }
  return text;
}

Mutant make(const std::string& name, const Faults& faults, uint64_t seed) {
  Recipe recipe;
  recipe.query = faults.query;
  recipe.key = faults.key;
  recipe.value = faults.value;
  recipe.form.probability = faults.probability;
  if (faults.accumulator_tile > 0) {
    recipe.form.tile = faults.accumulator_tile;
    recipe.form.accumulator = NumberFormat::bfloat16;
  }
  if (faults.drop_share > 0 || faults.tile > 0) {
    recipe.keys = [faults, seed](const RowPlace& place,
                                 std::vector<int64_t>& keys) {
      const int64_t tiles =
          faults.tile > 0 ? place.visible / faults.tile + 1 : 1;
      const int64_t skipped = faults.tile_seed % tiles;
      std::erase_if(keys, [&](int64_t key) {
        return drops(faults.drop_share, seed, key) ||
               (faults.tile > 0 && key / faults.tile == skipped);
      });
      if (keys.empty()) keys.push_back(place.visible - 1);
    };
  }
  return from_recipe(name, describe(faults), std::move(recipe));
}

}  // namespace

std::vector<Mutant> random_mutants(uint64_t seed, int count) {
  Rng rng = Rng(seed).fork("mutants");
  std::vector<Mutant> mutants;
  for (int i = 0; i < count; ++i) {
    const Faults faults = draw(rng);
    mutants.push_back(make(fmt::format("random {}: {}", i, describe(faults)),
                           faults, rng.next()));
  }
  return mutants;
}

}  // namespace evoke::attention
