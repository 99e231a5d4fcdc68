#include "evoke/attention/gate_cases.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "evoke/attention/inputs.h"
#include "evoke/core/launch_plan.h"

namespace evoke::attention {
namespace {

// Lengths at which kernels change path or miscount: 1, 2, 3, around powers of
// two, and ragged ones; Lq = 1 and Lq = Lk are tried at all of them.
constexpr int64_t kLengths[] = {1,    2,    3,    7,    17,   31,   32,
                                33,   63,   64,   65,   127,  128,  129,
                                130,  255,  257,  511,  513,  1023, 1024,
                                1025, 2055, 4095, 4097, 8193, 16385};
constexpr int64_t kLongest = 32768;
// Chunks: some queries over more (or, without a mask, fewer) keys.
constexpr int64_t kChunkQueries[] = {2, 7, 17, 64, 513};
constexpr int64_t kChunkKeys[] = {33, 65, 130, 257, 1025, 2055, 4097};
// Tiles of a kernel without tile_* parameters.
constexpr int64_t kUsualTiles[] = {16, 64};
// Work of one case beyond the timed shapes, in (query, key) pairs; 512 flops
// each at D = 128.
constexpr int64_t kScreenKeyRows = 40'000;
constexpr int64_t kBatchKeyRows = 20'000;
constexpr int64_t kGateKeyRows = 300'000;
constexpr int64_t kFullKeyRows = 300'000;
// ... and once, with as many queries as fit.
constexpr int64_t kOnceKeyRows = 2'200'000;
// A timed shape above this gets blended input only in the gate list.
constexpr int64_t kNeedleKeyRows = 4'000'000;
// Keys of the long probe in the gate list: so many times the longest timed
// shape, and at least so many that long sums show their error.
constexpr int64_t kLongProbeFactor = 2;
constexpr int64_t kLongProbeKeys = 2055;
constexpr int64_t kBatch = 3;
constexpr int64_t kBatchEvery = 5;  // of the probes in the full list

constexpr const char* kLayouts[] = {"contiguous", "cache", "transposed"};

// What is compiled apart: constants and the variant.
struct Unit {
  int64_t Hq = 0, Hkv = 0, D = 0;
  bool causal = false;
  std::size_t variant = 0;
  auto operator<=>(const Unit&) const = default;
};

class CaseList {
 public:
  // Once each; later duplicates are dropped.
  void add(const AttentionShape& shape, const std::string& input,
           const std::string& layout, const std::string& name = {}) {
    GateCase added{to_shape(shape, name), input, layout};
    if (seen_.insert({shape.name(), input, layout}).second) {
      cases_.push_back({shape.key_rows(), std::move(added)});
    }
  }
  // The layouts take turns.
  void add(const AttentionShape& shape, const std::string& input) {
    add(shape, input, kLayouts[turn_++ % std::size(kLayouts)]);
  }
  std::vector<GateCase> take() {
    std::stable_sort(
        cases_.begin(), cases_.end(),
        [](const auto& x, const auto& y) { return x.first < y.first; });
    std::vector<GateCase> result;
    for (auto& [work, each] : cases_) result.push_back(std::move(each));
    return result;
  }

 private:
  std::vector<std::pair<int64_t, GateCase>> cases_;
  std::set<std::tuple<std::string, std::string, std::string>> seen_;
  std::size_t turn_ = 0;
};

// Every shape worth trying with the constants of `timed`, by work.
std::vector<AttentionShape> probes(const AttentionShape& timed,
                                   const std::vector<int64_t>& tiles) {
  std::set<int64_t> lengths(std::begin(kLengths), std::end(kLengths));
  lengths.insert(kLongest);
  for (const int64_t tile : tiles) {
    for (const int64_t edge : {tile, 2 * tile, 5 * tile}) {
      for (const int64_t length : {edge - 1, edge, edge + 1}) {
        if (length >= 1 && length <= kLongest) lengths.insert(length);
      }
    }
  }
  std::vector<AttentionShape> shapes;
  const auto add = [&](int64_t q_len, int64_t kv_len) {
    AttentionShape shape = timed;
    shape.B = 1;
    shape.Lq = q_len;
    shape.Lk = kv_len;
    if (!shape.causal || q_len <= kv_len) shapes.push_back(shape);
  };
  for (const int64_t length : lengths) {
    add(1, length);
    if (length > 1) add(length, length);
  }
  for (const int64_t q_len : kChunkQueries) {
    for (const int64_t kv_len : kChunkKeys) add(q_len, kv_len);
  }
  std::stable_sort(
      shapes.begin(), shapes.end(),
      [](const auto& x, const auto& y) { return x.key_rows() < y.key_rows(); });
  return shapes;
}

bool beside_a_tile(int64_t length, const std::vector<int64_t>& tiles) {
  return std::any_of(tiles.begin(), tiles.end(), [&](int64_t tile) {
    return tile > 1 && (length % tile == 1 || length % tile == tile - 1);
  });
}

// The timed shapes of each unit, and the probes that its variant takes.
struct UnitShapes {
  std::vector<std::pair<AttentionShape, std::string>> timed;
  std::vector<AttentionShape> probes;
};

std::map<Unit, UnitShapes> find_units(const KernelReach& reach,
                                      const Workload& workload,
                                      bool also_untimed) {
  std::map<Unit, UnitShapes> units;
  const auto unit_of = [&](const AttentionShape& shape) {
    const auto variant = reach.variant_of(shape);
    return std::pair{
        variant.has_value(),
        Unit{shape.Hq, shape.Hkv, shape.D, shape.causal, variant.value_or(0)}};
  };
  for (const WorkloadShape& each : workload.shapes) {
    const AttentionShape shape = from_shape(each.shape);
    const auto [taken, unit] = unit_of(shape);
    if (taken) units[unit].timed.push_back({shape, each.shape.name});
  }
  std::set<std::tuple<int64_t, int64_t, int64_t, bool>> constants;
  for (const WorkloadShape& each : workload.shapes) {
    const AttentionShape shape = from_shape(each.shape);
    if (!constants.insert({shape.Hq, shape.Hkv, shape.D, shape.causal})
             .second) {
      continue;
    }
    for (const AttentionShape& probe : probes(shape, reach.tiles)) {
      const auto [taken, unit] = unit_of(probe);
      if (taken && (also_untimed || units.contains(unit))) {
        units[unit].probes.push_back(probe);
      }
    }
  }
  return units;
}

// The probe with the most keys within the limits, and of those the one with
// the most queries; whole multiples of 64 keys are left out.
const AttentionShape* longest(const std::vector<AttentionShape>& probes,
                              int64_t max_key_rows,
                              int64_t max_keys = kLongest) {
  const AttentionShape* best = nullptr;
  for (const AttentionShape& probe : probes) {
    if (probe.key_rows() > max_key_rows || probe.Lk > max_keys ||
        probe.Lk % 64 == 0) {
      continue;
    }
    if (best == nullptr ||
        std::pair(probe.Lk, probe.Lq) > std::pair(best->Lk, best->Lq)) {
      best = &probe;
    }
  }
  return best;
}

const AttentionShape* long_probe(const UnitShapes& unit) {
  int64_t keys = kLongProbeKeys;
  for (const auto& [shape, name] : unit.timed) {
    keys = std::max(keys, kLongProbeFactor * shape.Lk);
  }
  return longest(unit.probes, kGateKeyRows, keys);
}

// Of the probes with as many keys as `shape`.
AttentionShape fewest_queries(const std::vector<AttentionShape>& probes,
                              AttentionShape shape) {
  for (const AttentionShape& probe : probes) {
    if (probe.Lk == shape.Lk && probe.Lq < shape.Lq) shape = probe;
  }
  return shape;
}

void add_screen(const UnitShapes& unit, CaseList& list) {
  if (const auto* shape = longest(unit.probes, kScreenKeyRows)) {
    list.add(*shape, "blend", "transposed");
  } else if (!unit.probes.empty()) {
    list.add(unit.probes.front(), "blend", "transposed");
  } else {
    list.add(unit.timed.front().first, "blend", "transposed");
  }
}

void add_gate(const UnitShapes& unit, const std::vector<int64_t>& tiles,
              CaseList& list) {
  bool has_long_needles = false;
  for (const auto& [shape, name] : unit.timed) {
    list.add(shape, "blend", "contiguous", name);
    if (shape.key_rows() <= kNeedleKeyRows) {
      list.add(shape, "needle", "cache", name);
      has_long_needles |= shape.Lk >= kLongProbeKeys;
    }
  }
  if (!unit.probes.empty()) {
    list.add(unit.probes.front(), "blend", "transposed");
  }
  // Beside a tile's edge: the longest such probe.
  for (auto probe = unit.probes.rbegin(); probe != unit.probes.rend();
       ++probe) {
    if (probe->key_rows() <= kBatchKeyRows && beside_a_tile(probe->Lk, tiles)) {
      list.add(*probe, "blend", "cache");
      break;
    }
  }
  if (const auto* shape = long_probe(unit)) {
    list.add(*shape, "blend", "transposed");
    // Needles among many keys, if no timed shape has them: few queries do.
    if (!has_long_needles) {
      list.add(fewest_queries(unit.probes, *shape), "needle", "contiguous");
    }
  }
  if (const auto* shape = longest(unit.probes, kBatchKeyRows)) {
    AttentionShape batch = *shape;
    batch.B = kBatch;
    list.add(batch, "needle", "cache");
  }
}

void add_full(const UnitShapes& unit, const std::vector<int64_t>& tiles,
              CaseList& list) {
  add_gate(unit, tiles, list);
  for (const auto& [shape, name] : unit.timed) {
    for (const std::string& input : input_names()) {
      list.add(shape, input, "contiguous", name);
    }
  }
  if (const auto* shape = long_probe(unit)) {
    for (const std::string& input : input_names()) list.add(*shape, input);
  }
  const AttentionShape* most_queries = nullptr;
  int64_t index = 0;
  for (const AttentionShape& probe : unit.probes) {
    if (probe.key_rows() <= kOnceKeyRows &&
        (most_queries == nullptr || probe.Lq > most_queries->Lq)) {
      most_queries = &probe;
    }
    if (probe.key_rows() > kFullKeyRows) continue;
    list.add(probe, "blend");
    if (probe.Lk <= 130 || beside_a_tile(probe.Lk, tiles)) {
      list.add(probe, "needle");
    }
    if (index++ % kBatchEvery == 0 && probe.key_rows() <= kBatchKeyRows) {
      AttentionShape batch = probe;
      batch.B = kBatch;
      list.add(batch, "blend");
    }
  }
  if (most_queries != nullptr) list.add(*most_queries, "blend");
}

}  // namespace

KernelReach reach_of(const KernelSource& kernel) {
  KernelReach reach;
  const KernelPlan& plan = kernel.plan();
  std::set<int64_t> tiles;
  const auto is_tile = [](const std::string& name) {
    return name.starts_with("tile_");
  };
  for (const Parameter& parameter : plan.parameters) {
    if (is_tile(parameter.name)) tiles.insert(parameter.value);
  }
  for (const Variant& variant : plan.variants) {
    for (const auto& [name, value] : variant.parameters) {
      if (is_tile(name)) tiles.insert(value);
    }
  }
  if (tiles.empty()) {
    tiles.insert(std::begin(kUsualTiles), std::end(kUsualTiles));
  }
  reach.tiles.assign(tiles.begin(), tiles.end());
  reach.variant_of =
      [plan](const AttentionShape& shape) -> std::optional<std::size_t> {
    // A condition on the device sees the smallest one.
    const DeviceLimits device;
    for (std::size_t v = 0; v < plan.variants.size(); ++v) {
      Symbols symbols = to_shape(shape).values;
      symbols["num_sms"] = device.num_sms;
      symbols["l2_bytes"] = device.l2_bytes;
      symbols["max_threadgroup_memory"] = device.max_threadgroup_memory;
      for (const Parameter& parameter : plan.parameters) {
        symbols[parameter.name] = parameter.value;
      }
      for (const auto& [name, value] : plan.variants[v].parameters) {
        symbols[name] = value;
      }
      const auto holds = plan.variants[v].when.evaluate(symbols);
      if (!holds) return std::nullopt;
      if (*holds != 0) return v;
    }
    return std::nullopt;
  };
  return reach;
}

std::vector<GateCase> make_gate_cases(const KernelReach& reach,
                                      const Workload& workload,
                                      GateLevel level) {
  CaseList list;
  for (const auto& [key, unit] :
       find_units(reach, workload, level == GateLevel::full)) {
    switch (level) {
      case GateLevel::screen:
        add_screen(unit, list);
        break;
      case GateLevel::gate:
        add_gate(unit, reach.tiles, list);
        break;
      case GateLevel::full:
        add_full(unit, reach.tiles, list);
        break;
    }
  }
  return list.take();
}

}  // namespace evoke::attention
