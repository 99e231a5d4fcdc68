#include "evoke/attention/selftest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "evoke/attention/attention_case.h"
#include "evoke/attention/bf16.h"
#include "evoke/attention/gate_cases.h"
#include "evoke/attention/honest_family.h"
#include "evoke/attention/layouts.h"
#include "evoke/attention/mutants.h"
#include "evoke/attention/peer_gates.h"
#include "evoke/attention/recipe.h"
#include "evoke/attention/vector_ops.h"
#include "evoke/attention/workload.h"
#include "evoke/base/clock.h"
#include "evoke/base/parallel.h"

namespace evoke::attention {
namespace {

constexpr int64_t kQuickKeyRows = 20'000;
constexpr std::size_t kQuickStep = 4;
constexpr const char* kNormal = "normal";

struct Subject {
  SelftestKind kind;
  Mutant kernel;
};

// Which lists a case belongs to.
struct CaseUse {
  GateCase gate_case;
  bool gate = false;   // the gate list
  bool full = false;   // the full list
  bool timed = false;  // a timed shape's, in the gate list
  bool peers = false;  // N(0,1) at a timed shape
  std::string unit() const {
    return from_shape(gate_case.shape).Lq == 1 ? "decode" : "prefill";
  }
};

// What came of one subject at one case.
struct Trial {
  bool changed = true;  // not bitwise the right kernel's output
  bool accepted = false;
  double ratio = 0;         // largest error / limit
  std::vector<bool> peers;  // accepted, where peers were asked
};

double largest_ratio(const CheckReport& report) {
  const double ratio =
      std::max({report.row_ratio, report.mean_ratio, report.element_ratio});
  return ratio <= std::numeric_limits<double>::max()
             ? ratio
             : std::numeric_limits<double>::infinity();
}

Mutant mutant_of(const NamedForm& named) {
  Recipe recipe;
  recipe.form = named.form;
  return {std::string(named.name), "honest",
          [recipe](const FloatInputs& inputs, std::span<float> output) {
            compute(recipe, inputs, output);
          }};
}

std::vector<Subject> make_subjects(const SelftestOptions& options) {
  std::vector<Subject> subjects;
  const auto add = [&](SelftestKind kind, std::vector<Mutant> kernels) {
    for (Mutant& kernel : kernels) {
      subjects.push_back({kind, std::move(kernel)});
    }
  };
  for (const NamedForm& named : honest_family()) {
    add(SelftestKind::honest_member, {mutant_of(named)});
  }
  for (const NamedForm& named : honest_outsiders()) {
    add(SelftestKind::honest_outsider, {mutant_of(named)});
  }
  add(SelftestKind::policy, policy_cases());
  add(SelftestKind::mutant, known_mutants());
  add(SelftestKind::blind_mutant, blind_mutants());
  const int count = options.random_mutants > 0 ? options.random_mutants
                    : options.quick            ? 12
                                               : 60;
  add(SelftestKind::random_mutant, random_mutants(options.seed, count));
  return subjects;
}

KernelReach plain_reach() {
  KernelReach reach;
  reach.tiles = {64};
  reach.variant_of = [](const AttentionShape& shape) {
    return std::optional<std::size_t>(shape.Lq == 1 ? 0 : 1);
  };
  return reach;
}

std::vector<CaseUse> make_cases(const SelftestOptions& options,
                                const Workload& workload) {
  std::map<std::string, CaseUse> cases;
  const auto use = [&](const GateCase& gate_case) -> CaseUse& {
    CaseUse& result = cases[gate_case.label()];
    result.gate_case = gate_case;
    return result;
  };
  std::set<std::string> timed;
  for (const WorkloadShape& each : workload.shapes) {
    timed.insert(each.shape.name);
    use({each.shape, kNormal, "contiguous"}).peers = true;
  }
  const KernelReach reach = plain_reach();
  for (const GateCase& each :
       make_gate_cases(reach, workload, GateLevel::gate)) {
    CaseUse& added = use(each);
    added.gate = added.full = true;
    added.timed = timed.contains(each.shape.name);
  }
  std::size_t index = 0;
  for (const GateCase& each :
       make_gate_cases(reach, workload, GateLevel::full)) {
    const bool cheap = from_shape(each.shape).key_rows() <= kQuickKeyRows &&
                       index++ % kQuickStep == 0;
    if (!options.quick || cheap) use(each).full = true;
  }
  std::vector<CaseUse> list;
  for (auto& [label, each] : cases) {
    if (options.max_key_rows == 0 ||
        from_shape(each.gate_case.shape).key_rows() <= options.max_key_rows) {
      list.push_back(std::move(each));
    }
  }
  return list;
}

// All subjects at one case.
std::vector<Trial> try_case(const CaseUse& use,
                            const std::vector<Subject>& subjects,
                            uint64_t seed) {
  const AttentionCase prepared(use.gate_case, seed);
  const FloatInputs inputs = float_inputs(prepared.generator());
  const TensorLayout& tensor = prepared.tensors()[kOutput];
  const VectorOps& ops = vector_ops();
  const auto size = static_cast<int64_t>(inputs.query.size());
  PeerTruth peer_truth;
  const bool ask_peers = use.peers || use.timed;
  if (ask_peers) peer_truth = make_peer_truth(inputs);

  std::vector<float> right(size), output(size);
  compute(Recipe{}, inputs, right);
  ops.round_bf16(right.data(), size);
  std::vector<std::byte> allocation(tensor.allocation_bytes);
  prepared.write(kOutput, allocation);

  std::vector<Trial> trials(subjects.size());
  for (std::size_t s = 0; s < subjects.size(); ++s) {
    Trial& trial = trials[s];
    subjects[s].kernel.compute(inputs, output);
    // NaN and infinities survive: round_bf16 is for finite values only.
    for (float& x : output) x = round_to_bf16(x);
    trial.changed = output != right;
    CheckReport report;
    if (subjects[s].kind == SelftestKind::honest_member) {
      report = prepared.leave_one_out(s);
    } else {
      const AttentionShape& shape = inputs.shape;
      const float* row = output.data();
      for (int64_t b = 0; b < shape.B; ++b) {
        for (int64_t h = 0; h < shape.Hq; ++h) {
          for (int64_t i = 0; i < shape.Lq; ++i, row += shape.D) {
            std::byte* to =
                allocation.data() + row_offset_bytes(tensor, b, h, i);
            for (int64_t d = 0; d < shape.D; ++d) {
              const uint16_t bits = bf16_of_float(row[d]);
              std::memcpy(to + 2 * d, &bits, sizeof(bits));
            }
          }
        }
      }
      report = prepared.check(allocation);
    }
    trial.accepted = report.verdict == CheckVerdict::right;
    trial.ratio = largest_ratio(report);
    if (!ask_peers) continue;
    for (const PeerGate& gate : peer_gates()) {
      trial.peers.push_back(gate.accepts(peer_truth, output));
    }
  }
  return trials;
}

std::vector<std::vector<Trial>> try_all(const std::vector<CaseUse>& cases,
                                        const std::vector<Subject>& subjects,
                                        const SelftestOptions& options) {
  std::vector<std::vector<Trial>> trials(cases.size());
  in_parallel(options.num_threads, cases.size(), [&](std::size_t c) {
    trials[c] = try_case(cases[c], subjects, options.seed);
  });
  return trials;
}

bool is_wrong(SelftestKind kind) {
  return kind == SelftestKind::mutant || kind == SelftestKind::blind_mutant ||
         kind == SelftestKind::random_mutant;
}

bool is_honest(SelftestKind kind) {
  return kind == SelftestKind::honest_member ||
         kind == SelftestKind::honest_outsider;
}

class ReportMaker {
 public:
  ReportMaker(const std::vector<CaseUse>& cases,
              const std::vector<Subject>& subjects,
              const std::vector<std::vector<Trial>>& trials)
      : cases_(cases), subjects_(subjects), trials_(trials) {}

  void fill(SelftestReport& report) const {
    report.columns = {"gate", "full"};
    report.power_columns = {"ours"};
    for (const PeerGate& gate : peer_gates()) {
      report.columns.push_back(gate.name);
      report.power_columns.push_back(gate.name);
    }
    for (const CaseUse& use : cases_) {
      report.gate_cases += use.gate ? 1 : 0;
      report.full_cases += use.full ? 1 : 0;
    }
    report.mutant_weakest = std::numeric_limits<double>::infinity();
    for (std::size_t s = 0; s < subjects_.size(); ++s) {
      report.rows.push_back(row_of(s, report));
    }
    std::set<std::string> shapes;
    for (const CaseUse& use : cases_) {
      if (use.peers) shapes.insert(use.gate_case.shape.name);
    }
    for (const std::string& shape : shapes) {
      report.power.push_back(power_of(shape, "N(0,1)"));
      report.power.push_back(power_of(shape, "ours"));
    }
  }

 private:
  SelftestRow row_of(std::size_t s, SelftestReport& report) const {
    const Subject& subject = subjects_[s];
    SelftestRow row;
    row.kind = subject.kind;
    row.name = subject.kernel.name;
    row.description = subject.kernel.description;
    row.cells.resize(report.columns.size());
    const bool wrong = is_wrong(subject.kind);
    const bool in_full = subject.kernel.left_to_full_list;
    std::map<std::string, double> worst_of_unit;
    for (std::size_t c = 0; c < cases_.size(); ++c) {
      const Trial& trial = trials_[c][s];
      const CaseUse& use = cases_[c];
      if (wrong && !trial.changed) continue;
      const auto count = [&](std::size_t column, bool accepted) {
        ++row.cells[column].total;
        row.cells[column].accepted += accepted ? 1 : 0;
      };
      if (use.gate) {
        count(0, trial.accepted);
      }
      if (use.full) count(1, trial.accepted);
      if (in_full ? use.full : use.gate) {
        double& worst = worst_of_unit[use.unit()];
        worst = std::max(worst, trial.ratio);
      }
      for (std::size_t p = 0; use.peers && p < trial.peers.size(); ++p) {
        count(2 + p, trial.peers[p]);
      }
      if (is_honest(subject.kind) && (use.gate || use.full)) {
        report.honest_worst = std::max(report.honest_worst, trial.ratio);
      }
    }
    const bool claimed = !in_full || !report.options.quick;
    for (const auto& [unit, worst] : worst_of_unit) {
      if (!wrong || !claimed) continue;
      if (worst <= 1) row.survives.push_back(unit);
      if (worst < report.mutant_weakest) {
        report.mutant_weakest = worst;
        report.weakest_mutant = fmt::format("{} in {}", row.name, unit);
      }
    }
    if (!wrong) {
      const bool refused = row.cells[0].accepted < row.cells[0].total ||
                           row.cells[1].accepted < row.cells[1].total;
      row.state = refused ? SelftestState::refused : SelftestState::accepted;
    } else if (!claimed) {
      row.state = SelftestState::full_list_only;
    } else if (worst_of_unit.empty()) {
      row.state = SelftestState::not_tried;
    } else {
      row.state = row.survives.empty() ? SelftestState::rejected
                                       : SelftestState::survives;
    }
    return row;
  }

  ShapePower power_of(const std::string& shape,
                      const std::string& inputs) const {
    ShapePower power;
    power.shape = shape;
    power.inputs = inputs;
    power.accepted.resize(1 + peer_gates().size());
    const bool normal = inputs == "N(0,1)";
    for (std::size_t s = 0; s < subjects_.size(); ++s) {
      if (subjects_[s].kind != SelftestKind::mutant &&
          subjects_[s].kind != SelftestKind::blind_mutant) {
        continue;
      }
      bool changed = false;
      std::vector<bool> accepted(power.accepted.size(), true);
      for (std::size_t c = 0; c < cases_.size(); ++c) {
        const CaseUse& use = cases_[c];
        if (use.gate_case.shape.name != shape ||
            !(normal ? use.peers : use.timed)) {
          continue;
        }
        const Trial& trial = trials_[c][s];
        changed |= trial.changed;
        accepted[0] = accepted[0] && trial.accepted;
        for (std::size_t p = 0; p < trial.peers.size(); ++p) {
          accepted[1 + p] = accepted[1 + p] && trial.peers[p];
        }
      }
      if (!changed) continue;
      ++power.mutants;
      for (std::size_t g = 0; g < accepted.size(); ++g) {
        power.accepted[g] += accepted[g] ? 1 : 0;
      }
      if (accepted[0]) power.by_ours.push_back(subjects_[s].kernel.name);
    }
    return power;
  }

  const std::vector<CaseUse>& cases_;
  const std::vector<Subject>& subjects_;
  const std::vector<std::vector<Trial>>& trials_;
};

void conclude(SelftestReport& report) {
  SelftestTally tally;
  int wrong = 0, honest = 0, honest_inputs = 0;
  for (const SelftestRow& row : report.rows) {
    if (row.kind == SelftestKind::policy) continue;
    tally.names[row.state].push_back(row.name);
    if (row.state == SelftestState::full_list_only) continue;
    wrong += is_wrong(row.kind) ? 1 : 0;
    if (!is_honest(row.kind)) continue;
    ++honest;
    honest_inputs += row.cells[1].total;
  }
  report.passed = tally.passed();
  report.verdict = fmt::format(
      "{}: {} of {} wrong kernels rejected, {} of {} honest ones accepted on "
      "all of {} inputs (honest at most {:.2f} of the limit, the weakest "
      "wrong one {:.2f} x: {}){}",
      report.passed ? "passed" : "FAILED", tally.count(SelftestState::rejected),
      wrong, tally.count(SelftestState::accepted), honest, honest_inputs,
      report.honest_worst, report.mutant_weakest, report.weakest_mutant,
      tally.exceptions());
}

}  // namespace

std::size_t SelftestTally::count(SelftestState state) const {
  const auto found = names.find(state);
  return found == names.end() ? 0 : found->second.size();
}

bool SelftestTally::passed() const {
  return count(SelftestState::survives) == 0 &&
         count(SelftestState::not_tried) == 0 &&
         count(SelftestState::refused) == 0;
}

std::string SelftestTally::exceptions() const {
  std::string text;
  for (const SelftestState state :
       {SelftestState::survives, SelftestState::not_tried,
        SelftestState::refused, SelftestState::full_list_only}) {
    if (count(state) == 0) continue;
    text += fmt::format("; {}: {}", to_string(state),
                        fmt::join(names.at(state), ", "));
  }
  return text;
}

SelftestReport run_selftest(const SelftestOptions& options) {
  const double start_ms = monotonic_ms();
  SelftestReport report;
  report.options = options;
  report.workload = "quick";
  const Workload workload = find_workload(report.workload).value();
  const std::vector<Subject> subjects = make_subjects(options);
  const std::vector<CaseUse> cases = make_cases(options, workload);
  const auto trials = try_all(cases, subjects, options);
  ReportMaker(cases, subjects, trials).fill(report);
  conclude(report);
  report.elapsed_s = (monotonic_ms() - start_ms) / 1000;
  return report;
}

}  // namespace evoke::attention
