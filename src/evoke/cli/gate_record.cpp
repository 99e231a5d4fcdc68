#include "evoke/cli/gate_record.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "evoke/attention/shape.h"
#include "evoke/base/clock.h"
#include "evoke/cli/commands.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/verified_kernel.h"

namespace evoke::cli {
namespace {

using attention::AttentionShape;

AttentionShape parse_heads(const std::string& heads) {
  std::vector<int64_t> numbers;
  const char* at = heads.data();
  const char* const end = at + heads.size();
  while (at < end) {
    int64_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc()) break;
    numbers.push_back(number);
    at = next == end || *next == '-' ? next + 1 : end;
    if (next != end && *next != '-') numbers.clear();
  }
  AttentionShape shape;
  if (numbers.size() == 3) {
    shape.Hq = numbers[0];
    shape.Hkv = numbers[1];
    shape.D = numbers[2];
    const auto checked = attention::check(shape);
    if (checked && heads == heads_label(shape.Hq, shape.Hkv, shape.D)) {
      return shape;
    }
    if (!checked) throw UsageError("--heads: " + checked.error().message);
  }
  throw UsageError("--heads '" + heads +
                   "': expected query heads, key-value heads and head_dim, as "
                   "in 16-8-128");
}

}  // namespace

Workload workload_of_heads(const std::string& heads) {
  const AttentionShape model = parse_heads(heads);
  struct Lengths {
    int64_t q;
    int64_t k;
  };
  // Decode steps; prompts; a prompt's later chunks.
  constexpr Lengths kLengths[] = {{1, 64},  {1, 600},   {1, 2048},
                                  {24, 24}, {200, 200}, {512, 512},
                                  {7, 300}, {256, 1024}};
  Workload workload{"heads " + heads, {}};
  for (const Lengths& lengths : kLengths) {
    AttentionShape shape = model;
    shape.Lq = lengths.q;
    shape.Lk = lengths.k;
    shape.causal = lengths.q > 1;
    workload.shapes.push_back({to_shape(shape), 1.0});
  }
  return workload;
}

std::optional<std::string> heads_of(const Workload& workload) {
  std::optional<std::string> heads;
  for (const WorkloadShape& each : workload.shapes) {
    const AttentionShape shape = attention::from_shape(each.shape);
    const std::string label = heads_label(shape.Hq, shape.Hkv, shape.D);
    if (heads && *heads != label) return {};
    heads = label;
  }
  return heads;
}

void record_passed_gate(const Laboratory& laboratory, const KernelFile& file,
                        const judge::VerifyReport& report,
                        const std::string& heads, GateLevel level) {
  if (!report.right()) {
    throw UsageError(
        "[record_passed_gate] the kernel has not passed. Usual cause: the "
        "report was not looked at.");
  }
  VerifiedKernel verified;
  const KernelSource kernel = value_or_throw(
      KernelSource::parse(file.text, laboratory.bench->dialect(), file.path));
  verified.kernel_hash = kernel.hash();
  verified.device = laboratory.device;
  verified.heads = heads;
  verified.limits = laboratory.bench->limits();
  verified.compiler_id = laboratory.bench->greeting().compiler_id;
  verified.gate = fmt::format("{}, {} cases, {}",
                              level == GateLevel::full ? "full" : "gate",
                              report.cases.size(), utc_now());
  verified.units = report.units;
  value_or_throw(write_verified_kernel(default_verified_folder(), verified));
}

}  // namespace evoke::cli
