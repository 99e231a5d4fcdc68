// The measurements behind docs/gate.md. Not a test: it prints tables.
//
//   gate_study honest FIRST LAST [full|geometry]
//       every honest form (members left out in turn, and outsiders) on the
//       gate list of `quick` (or its full list, or odd geometries) for the
//       seeds FIRST .. LAST: how near do they come to their limits?
//   gate_study rules FIRST LAST
//       three ways to judge rows, on shapes where two wrong kernels are hard
//       to tell from honest ones
//   gate_study write
//       how quickly inputs of decode-4096 are made, per kind
//   gate_study selftest [full] [SEED]
//       the self-test's matrix in Markdown
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "evoke/attention/attention_case.h"
#include "evoke/attention/gate.h"
#include "evoke/attention/gate_cases.h"
#include "evoke/attention/honest_family.h"
#include "evoke/attention/layouts.h"
#include "evoke/attention/peer_gates.h"
#include "evoke/attention/recipe.h"
#include "evoke/attention/selftest.h"
#include "evoke/attention/truth.h"
#include "evoke/attention/vector_ops.h"
#include "evoke/attention/workload.h"
#include "evoke/base/clock.h"

namespace evoke::attention {
namespace {

constexpr const char* kGeometries = R"(
shape = [
  { D = 64, Hq = 32, Hkv = 8, Lk = 777 },
  { D = 80, Hq = 8, Hkv = 8, Lk = 300 },
  { D = 256, Hq = 4, Hkv = 1, Lk = 1500 },
  { D = 512, Hq = 2, Hkv = 1, Lk = 300 },
  { D = 8, Hq = 4, Hkv = 2, Lq = 9, Lk = 100 },
  { D = 64, Hq = 6, Hkv = 2, Lq = 100, Lk = 100 },
]
)";

std::vector<NamedForm> honest_forms() {
  std::vector<NamedForm> forms;
  for (const NamedForm& each : honest_family()) forms.push_back(each);
  for (const NamedForm& each : honest_outsiders()) forms.push_back(each);
  return forms;
}

double largest_ratio(const CheckReport& report) {
  return std::max({report.row_ratio, report.mean_ratio, report.element_ratio});
}

void study_honest(uint64_t first, uint64_t last, const std::string& list) {
  KernelReach reach;
  reach.tiles = {64};
  reach.variant_of = [](const AttentionShape& shape) {
    return std::optional<std::size_t>(shape.Lq == 1 ? 0 : 1);
  };
  const Workload workload = list == "geometry"
                                ? *parse_workload(kGeometries, "geometries")
                                : *find_workload("quick");
  const auto cases = make_gate_cases(
      reach, workload, list == "full" ? GateLevel::full : GateLevel::gate);
  const auto forms = honest_forms();
  std::map<std::string_view, double> worst;
  int judged = 0, rejected = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    for (const GateCase& each : cases) {
      const AttentionShape shape = from_shape(each.shape);
      const auto measured =
          measure(InputGenerator(shape, each.input, seed),
                  choose_rows(shape, kMaxCheckedKeyRows, seed), forms);
      const std::span family(measured.errors.data(), kFamilySize);
      for (std::size_t f = 0; f < forms.size(); ++f) {
        const Envelope envelope(measured.truth.groups, family,
                                f < kFamilySize ? static_cast<int>(f) : -1);
        const CheckReport report =
            envelope.judge(measured.truth, measured.errors[f]);
        ++judged;
        double& mine = worst[forms[f].name];
        mine = std::max(mine, largest_ratio(report));
        if (report.verdict == CheckVerdict::right) continue;
        ++rejected;
        fmt::print("rejected: {}, seed {}, {}: {}\n", forms[f].name, seed,
                   each.label(), report.message);
      }
    }
  }
  fmt::print("{} cases, seeds {} to {}: {} judged, {} rejected\n", cases.size(),
             first, last, judged, rejected);
  for (const NamedForm& form : forms) {
    fmt::print("  {:.2f} of the limit at most: {}\n", worst[form.name],
               form.name);
  }
}

// Relative L2 errors of every row, and mean absolute error, of one output.
struct PlainErrors {
  std::vector<double> rows;
  double mean = 0;
};

PlainErrors plain_errors(const PeerTruth& truth, std::vector<float> output,
                         int64_t dim) {
  vector_ops().round_bf16(output.data(), static_cast<int64_t>(output.size()));
  PlainErrors errors;
  for (std::size_t row = 0; row < output.size(); row += dim) {
    double error = 0, norm = 0;
    for (int64_t d = 0; d < dim; ++d) {
      const double exact = truth.exact[row + d];
      error += std::pow(output[row + d] - exact, 2);
      norm += exact * exact;
      errors.mean += std::abs(output[row + d] - exact);
    }
    errors.rows.push_back(std::sqrt(error / norm));
  }
  return errors;
}

// Error over the envelope's largest: of the worst row, of the mean, and of
// each row over its own envelope.
struct PlainRatios {
  double row = 0, mean = 0, own_row = 0;
};

PlainRatios plain_ratios(const PlainErrors& mine,
                         const std::vector<PlainErrors>& family,
                         std::size_t exclude) {
  double worst = 0, mean = 0;
  PlainRatios ratios;
  for (std::size_t f = 0; f < family.size(); ++f) {
    if (f == exclude) continue;
    mean = std::max(mean, family[f].mean);
    for (const double x : family[f].rows) worst = std::max(worst, x);
  }
  for (std::size_t r = 0; r < mine.rows.size(); ++r) {
    double own = 1e-9;
    for (std::size_t f = 0; f < family.size(); ++f) {
      if (f != exclude) own = std::max(own, family[f].rows[r]);
    }
    ratios.row = std::max(ratios.row, mine.rows[r] / worst);
    ratios.own_row = std::max(ratios.own_row, mine.rows[r] / own);
  }
  ratios.mean = mine.mean / mean;
  return ratios;
}

void study_rules(uint64_t first, uint64_t last) {
  std::vector<AttentionShape> shapes(4);
  shapes[0].Lk = 256;
  shapes[1].Lk = 4096;
  shapes[2].Lq = 7;
  shapes[2].Lk = 2055;
  shapes[2].causal = true;
  shapes[3].Lq = shapes[3].Lk = 513;
  shapes[3].causal = true;
  std::vector<NamedForm> forms = honest_forms();
  const std::size_t honest = forms.size();
  using enum NumberFormat;
  forms.push_back({"bf16 O accumulator", {.accumulator = bfloat16}});
  forms.push_back({"quadratic exp2", {.exp2 = exp2_quadratic}});
  forms.push_back({"quadratic exp2, minimax", {.exp2 = exp2_minimax2}});
  fmt::print(
      "| shape | inputs | kernel | worst row | mean | row over its own | "
      "adopted: row | adopted: mean |\n|---|---|---|---|---|---|---|---|\n");
  for (const AttentionShape& shape : shapes) {
    for (const char* input :
         {"normal", "needle", "contrast", "sink", "blend"}) {
      // Honest: the largest over seeds; wrong: the smallest.
      std::map<std::string_view, std::array<double, 5>> table;
      for (uint64_t seed = first; seed <= last; ++seed) {
        const InputGenerator generator(shape, input, seed);
        const FloatInputs inputs = float_inputs(generator);
        const PeerTruth truth = make_peer_truth(inputs);
        const auto measured = measure(
            generator, choose_rows(shape, int64_t{1} << 40, seed), forms);
        const std::span family(measured.errors.data(), kFamilySize);
        std::vector<PlainErrors> plain;
        for (const NamedForm& each : forms) {
          Recipe recipe;
          recipe.form = each.form;
          std::vector<float> output(inputs.query.size());
          compute(recipe, inputs, output);
          plain.push_back(plain_errors(truth, std::move(output), shape.D));
        }
        const std::vector<PlainErrors> plain_family(
            plain.begin(), plain.begin() + kFamilySize);
        for (std::size_t f = 0; f < forms.size(); ++f) {
          const PlainRatios old = plain_ratios(plain[f], plain_family, f);
          const Envelope envelope(measured.truth.groups, family,
                                  f < kFamilySize ? static_cast<int>(f) : -1);
          const CheckReport report =
              envelope.judge(measured.truth, measured.errors[f]);
          const std::array<double, 5> now = {old.row, old.mean, old.own_row,
                                             report.row_ratio,
                                             report.mean_ratio};
          const auto name = f < honest ? "honest, at most" : forms[f].name;
          const auto [at, added] = table.try_emplace(name, now);
          for (std::size_t k = 0; k < now.size(); ++k) {
            at->second[k] = f < honest ? std::max(at->second[k], now[k])
                                       : std::min(at->second[k], now[k]);
          }
        }
      }
      for (const auto& [name, row] : table) {
        fmt::print(
            "| {} | {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |\n",
            shape.name(), input, name, row[0], row[1], row[2], row[3], row[4]);
      }
      std::fflush(stdout);
    }
  }
}

void study_write() {
  constexpr int kRepeats = 40;
  AttentionShape shape;
  shape.Lk = 4096;
  for (const std::string& input : input_names()) {
    const AttentionCase prepared({to_shape(shape), input, "contiguous"}, 1);
    fmt::print("{:<12}", input);
    for (const std::size_t index : {kKey, kValue}) {
      std::vector<std::byte> allocation(
          prepared.tensors()[index].allocation_bytes);
      double best_ms = 1e9;
      for (int i = 0; i < kRepeats; ++i) {
        const double start_ms = monotonic_ms();
        prepared.write(index, allocation);
        best_ms = std::min(best_ms, monotonic_ms() - start_ms);
      }
      fmt::print("  {} {:.2f} GB/s", index == kKey ? "key" : "value",
                 static_cast<double>(allocation.size()) / best_ms * 1e-6);
    }
    fmt::print("\n");
  }
}

int run(int argc, char** argv) {
  const auto argument = [&](int i, const char* otherwise) {
    return std::string(i < argc ? argv[i] : otherwise);
  };
  const std::string what = argument(1, "");
  if (what == "honest") {
    study_honest(std::stoull(argument(2, "1")), std::stoull(argument(3, "3")),
                 argument(4, "gate"));
    return 0;
  }
  if (what == "rules") {
    study_rules(std::stoull(argument(2, "1")), std::stoull(argument(3, "3")));
    return 0;
  }
  if (what == "write") {
    study_write();
    return 0;
  }
  if (what == "selftest") {
    SelftestOptions options;
    options.quick = argument(2, "") != "full";
    options.seed = std::stoull(argument(options.quick ? 2 : 3, "1"));
    options.num_threads = 2;
    const SelftestReport report = run_selftest(options);
    fmt::print("{}\n{:.1f} s, {} cases in the gate list, {} in the full one\n",
               to_markdown(report), report.elapsed_s, report.gate_cases,
               report.full_cases);
    return report.passed ? 0 : 1;
  }
  fmt::print(stderr,
             "gate_study: honest FIRST LAST [full|geometry] | rules FIRST "
             "LAST | write | selftest [full] [SEED]\n");
  return 2;
}

}  // namespace
}  // namespace evoke::attention

int main(int argc, char** argv) { return evoke::attention::run(argc, argv); }
