// The gate tested: every wrong kernel must be tried and rejected, every honest
// one accepted. The same cases are put before the rules of other projects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/json.h"

namespace evoke::attention {

struct SelftestOptions {
  // The full list is cut to cheap cases, and fewer random mutants are drawn.
  bool quick = true;
  uint64_t seed = 1;
  int num_threads = 1;
  int random_mutants = 0;  // 0: 12 when quick, else 60
  // Cases with more (query, key) pairs are left out, and power with them;
  // 0: none.
  int64_t max_key_rows = 0;
};

enum class SelftestKind {
  honest_member,    // of the envelope's family, judged by the other eleven
  honest_outsider,  // honest, not in the family
  policy,           // shown, part of no verdict
  mutant,
  blind_mutant,
  random_mutant
};
std::string_view to_string(SelftestKind kind);

// How many inputs a gate accepted, of those on which the kernel is not
// bitwise right by luck (a window of 1024 keys at 256 keys).
struct SelftestCell {
  int accepted = 0;
  int total = 0;
};

// What became of a kernel. Of a wrong one, in the order of precedence.
enum class SelftestState {
  accepted,       // honest or policy: on every input
  refused,        // honest or policy: on some input
  rejected,       // wrong, and rejected in every unit that it is wrong in
  survives,       // wrong, and some unit's list accepts it
  not_tried,      // wrong nowhere on the list: nothing is known of it
  full_list_only  // quick: left to the full list, and not claimed
};
std::string_view to_string(SelftestState state);

// Kernels' names by what became of them, and what follows from that.
struct SelftestTally {
  std::map<SelftestState, std::vector<std::string>> names;

  std::size_t count(SelftestState state) const;
  // Nothing survives, nothing was left untried, nothing honest was refused.
  bool passed() const;
  // "; survives: NAME, NAME": who did not end as one would wish.
  std::string exceptions() const;
};

struct SelftestRow {
  SelftestKind kind = SelftestKind::mutant;
  std::string name;
  std::string description;
  SelftestState state = SelftestState::accepted;
  std::vector<SelftestCell> cells;  // as SelftestReport::columns
  // Units ("decode", "prefill") whose gate list (a mutant left to the full
  // list: whose full list) it passes, wrongly.
  std::vector<std::string> survives;
};

// Of the mutants that only one timed shape's cases can catch, how many are
// accepted there; per gate.
struct ShapePower {
  std::string shape;
  std::string inputs;  // "N(0,1)", or "ours": the gate list's at this shape
  int mutants = 0;     // that change something there
  std::vector<int> accepted;         // as ShapePower columns of the report
  std::vector<std::string> by_ours;  // names of those that ours accepts
};

struct SelftestReport {
  std::string workload;
  SelftestOptions options;
  int gate_cases = 0;
  int full_cases = 0;
  // "gate", "full" (ours, each on its own list), then the peers on N(0,1) at
  // the timed shapes, which is what their own tests use.
  std::vector<std::string> columns;
  std::vector<SelftestRow> rows;
  std::vector<std::string> power_columns;  // "ours", then the peers
  std::vector<ShapePower> power;
  // Largest error / limit that an honest kernel reached, and the smallest
  // over the mutants of their largest: the margin on both sides.
  double honest_worst = 0;
  double mutant_weakest = 0;
  std::string weakest_mutant;
  double elapsed_s = 0;
  bool passed = false;
  std::string verdict;  // one line
};

// Emulates all of it on the CPU, for a kernel with one decode and one prefill
// variant of tile 64 and the workload "quick".
SelftestReport run_selftest(const SelftestOptions& options);

std::string to_text(const SelftestReport& report);  // for a terminal
std::string to_markdown(const SelftestReport& report);
Json to_json(const SelftestReport& report);

}  // namespace evoke::attention
