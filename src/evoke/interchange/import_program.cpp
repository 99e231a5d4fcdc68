#include "evoke/interchange/import_program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "evoke/core/plan_parser.h"
#include "evoke/interchange/foreign_program.h"
#include "evoke/interchange/kernel_code.h"

namespace evoke {
namespace {

Symbols sample(int64_t b, int64_t q_heads, int64_t kv_heads, int64_t q_len,
               int64_t kv_len, int64_t head_dim, bool causal = true) {
  return {
      {"B", b},       {"Hq", q_heads}, {"Hkv", kv_heads},         {"Lq", q_len},
      {"Lk", kv_len}, {"D", head_dim}, {"causal", causal ? 1 : 0}};
}

// The variant that takes `sizes`, by the plan's conditions alone.
const Variant* variant_at(const KernelPlan& plan, const Symbols& sizes) {
  for (const Variant& variant : plan.variants) {
    Symbols names = sizes;
    for (const Parameter& each : plan.parameters) names[each.name] = each.value;
    for (const auto& [name, value] : variant.parameters) names[name] = value;
    // What a plan may ask of a device; exported modules say the same.
    names["num_sms"] = 10;
    names["l2_bytes"] = 4 << 20;
    names["max_threadgroup_memory"] = 32768;
    const auto holds = variant.when.evaluate(names);
    if (holds && *holds != 0) return &variant;
  }
  return nullptr;
}

void add_once(std::vector<CodeParts::Body>& bodies, CodeParts::Body body,
              std::string& conflict) {
  for (const CodeParts::Body& known : bodies) {
    if (known.kernel != body.kernel) continue;
    if (known.text != body.text) conflict = body.kernel;
    return;
  }
  bodies.push_back(std::move(body));
}

// A program that carries its plan: only the code is taken from the calls.
Result<KernelSource> import_exported(const ProgramRecord& record,
                                     const std::string& path) {
  const auto plan = plan_of(record, path);
  if (!plan) return error_of(plan);
  CodeParts parts;
  std::set<std::string> missing;
  for (const Variant& variant : plan->variants) {
    for (const Launch& launch : variant.launches) missing.insert(launch.kernel);
  }
  for (const RecordedSample& each : record.samples) {
    const Variant* variant = variant_at(*plan, each.sizes);
    if (variant == nullptr || !each.error.empty()) continue;
    if (variant->launches.size() != each.calls.size()) {
      return failed(fmt::format(
          "{}: variant '{}' of its plan has {} launches, the program made {}",
          path, variant->name, variant->launches.size(), each.calls.size()));
    }
    for (std::size_t i = 0; i < each.calls.size(); ++i) {
      const std::string& kernel = variant->launches[i].kernel;
      const std::string header = authored_header(each.calls[i].header);
      if (!parts.bodies.empty() && header != parts.outside) {
        return failed(path + ": its kernels have different headers");
      }
      parts.outside = header;
      std::string conflict;
      add_once(parts.bodies, {kernel, authored_body(each.calls[i].source)},
               conflict);
      if (!conflict.empty()) {
        return failed(
            fmt::format("{}: kernel '{}' has two bodies", path, conflict));
      }
      missing.erase(kernel);
    }
  }
  if (!missing.empty()) {
    for (const RecordedSample& each : record.samples) {
      if (each.error.empty()) continue;
      return failed(fmt::format("{}: {}", path, each.error));
    }
    return failed(
        fmt::format("{}: never launched {}", path, fmt::join(missing, ", ")));
  }
  return kernel_file_of(record.plan, join_code(parts), path);
}

}  // namespace

std::vector<Symbols> usual_samples() {
  return {sample(1, 16, 8, 37, 37, 128),   sample(2, 16, 8, 53, 53, 128),
          sample(3, 16, 8, 131, 131, 128), sample(1, 12, 3, 45, 45, 64),
          sample(1, 16, 8, 600, 600, 128), sample(2, 16, 8, 17, 17, 128),
          sample(1, 16, 8, 1, 71, 128),    sample(2, 16, 8, 1, 300, 128),
          sample(1, 12, 3, 1, 333, 64),    sample(1, 16, 8, 1, 1500, 128),
          sample(1, 16, 8, 5, 77, 128),    sample(2, 16, 8, 9, 700, 128)};
}

Result<KernelPlan> plan_of(const ProgramRecord& record,
                           const std::string& path) {
  auto parsed = parse_plan(record.plan, 1, Dialect::metal, path);
  if (!parsed) return error_of(parsed);
  return std::move(parsed->plan);
}

VariantSamples samples_for(const KernelPlan& plan) {
  VariantSamples found;
  std::set<const Variant*> seen;
  for (const bool causal : {true, false}) {
    for (const int64_t batch : {1, 2, 8}) {
      for (const int64_t kv_len :
           {64, 256, 1024, 2048, 4096, 8192, 16384, 1, 16, 513}) {
        for (const int64_t q_len : {1, 2, 4, 8, 16, 64, 128, 512, 1024, 2048}) {
          if (q_len > kv_len) continue;
          for (const int64_t head_dim : {128, 64}) {
            const Symbols sizes =
                sample(batch, 16, 8, q_len, kv_len, head_dim, causal);
            const Variant* variant = variant_at(plan, sizes);
            if (variant != nullptr && seen.insert(variant).second) {
              found.samples.push_back(sizes);
            }
          }
        }
      }
    }
  }
  for (const Variant& variant : plan.variants) {
    if (!seen.contains(&variant)) found.without.push_back(variant.name);
  }
  return found;
}

Result<KernelSource> import_record(const ProgramRecord& record,
                                   const std::string& path) {
  if (!record.load_error.empty()) {
    return failed(path + ": " + record.load_error);
  }
  if (!record.plan.empty()) return import_exported(record, path);
  return import_foreign(record, path);
}

}  // namespace evoke
