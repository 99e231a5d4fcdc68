#include "evoke/evaluation/judge/validation.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "evoke/evaluation/judge/case_feed.h"
#include "evoke/evaluation/judge/gate.h"
#include "evoke/evaluation/judge/loaded_kernel.h"

namespace evoke::judge {
namespace {

// Tools slow kernels down a hundred times.
constexpr GateOptions kOptions{
    .call_timeout_ms = 120'000, .probe_variants = false, .probe_share = 0};

std::vector<GateCase> cases_of(Workbench& bench, const KernelBuild& build,
                               const Workload& workload) {
  return bench.problem().gate_cases(build.source(), workload,
                                    GateLevel::screen);
}

std::vector<Shape> shapes_of(const std::vector<GateCase>& cases) {
  std::vector<Shape> shapes;
  for (const GateCase& each : cases) shapes.push_back(each.shape);
  return shapes;
}

// Under a tool, not to be ready in time says nothing about a kernel.
bool is_of_the_machine(OutcomeKind kind) {
  return kind == OutcomeKind::timed_out ||
         kind == OutcomeKind::infrastructure_failed;
}

bool is_about_bounds(const std::string& text) {
  return text.find("out of bounds") != text.npos ||
         text.find("Invalid") != text.npos;
}

// Compiled here: a kernel known to be right is not the one that is judged.
RunnerResult<std::optional<Complaint>> validate_known(
    Workbench& bench, KernelBuild& build, const std::vector<GateCase>& cases,
    const ValidationTool& tool) {
  const auto refusal = bench.compile(build, shapes_of(cases));
  if (!refusal) return fault_of(refusal);
  if (*refusal) {
    return fault(RunnerFault::Kind::unavailable, (*refusal)->message);
  }
  return validate(bench, build, cases, tool);
}

}  // namespace

RunnerResult<std::optional<Complaint>> validate(
    Workbench& bench, const KernelBuild& build,
    const std::vector<GateCase>& cases, const ValidationTool& tool) {
  auto runner = bench.watched_runner(tool);
  if (!runner) return fault_of(runner);
  std::optional<Complaint> complaint;
  std::optional<std::string> lost;
  {
    LoadedKernel kernel(*runner, build);
    const auto shared_calls = bench.shared_calls(**runner);
    Gate gate(kernel, kOptions, secret_seed());
    CaseFeed feed(bench, cases, std::nullopt);
    while (!feed.done() && !complaint) {
      auto pooled = feed.next();
      if (!pooled) return own_fault(pooled.error());
      const auto share = bench.share_processor();
      if (!share) return fault(RunnerFault::Kind::cancelled, "cancelled");
      const CaseResult result = gate.check(**pooled);
      if (!result.failure) continue;
      if (is_of_the_machine(*result.failure)) {
        lost = result.message;
        break;
      }
      complaint = {*result.failure == OutcomeKind::out_of_bounds,
                   fmt::format("under {}: {}: {}", tool.name, result.label,
                               result.message)};
    }
  }
  const WatchedEnd end = (*runner)->finish();
  if (bench.stopping()) return fault(RunnerFault::Kind::cancelled, "cancelled");
  // What the tool saw explains what went wrong.
  if (const std::string words = complaint_of(tool, end); !words.empty()) {
    complaint = {is_about_bounds(words),
                 fmt::format("{}: {}", tool.name, words)};
  } else if (lost) {
    return fault(RunnerFault::Kind::unavailable, *lost);
  }
  return complaint;
}

std::string Validators::why_not(Workbench& bench, const Workload& workload,
                                const std::string& known_right,
                                const ValidationTool& tool) {
  const auto known = reasons_.find(tool.name);
  if (known != reasons_.end()) return known->second;
  std::string reason;
  auto build = bench.plan(known_right, "reference", {});
  if (!build) {
    reason = build.error().message;
  } else if (const auto control = validate_known(
                 bench, *build, cases_of(bench, *build, workload), tool);
             !control) {
    if (bench.stopping()) return "cancelled";
    reason = control.error().message;
  } else if (*control) {
    reason = "it complains of the reference: " + (*control)->message;
  }
  reasons_[tool.name] = reason;
  return reason;
}

std::string Validators::complaint_of_known(Workbench& bench,
                                           const std::string& known_right,
                                           std::vector<GateCase> cases,
                                           const ValidationTool& tool) {
  auto build = bench.plan(known_right, "reference", {});
  if (!build) return {};
  std::erase_if(cases, [&](const GateCase& each) {
    return !build->plan_for(each.shape);
  });
  const auto control = validate_known(bench, *build, cases, tool);
  return control && *control ? (*control)->message : std::string();
}

RunnerResult<Validators::Verdict> Validators::judge(
    Workbench& bench, const KernelBuild& build, const Workload& workload,
    const std::string& known_right) {
  const std::lock_guard lock(mutex_);
  const std::vector<GateCase> cases = cases_of(bench, build, workload);
  Verdict verdict;
  for (const ValidationTool& tool : tools_) {
    const std::string reason = why_not(bench, workload, known_right, tool);
    if (!reason.empty()) {
      verdict.said[tool.name] = "not used: " + reason;
      continue;
    }
    auto complaint = validate(bench, build, cases, tool);
    std::string of_known;
    if (complaint && *complaint) {
      of_known = complaint_of_known(bench, known_right, cases, tool);
    }
    if (bench.stopping()) {
      return fault(RunnerFault::Kind::cancelled, "cancelled");
    }
    if (!complaint) {
      verdict.said[tool.name] = "not used: " + complaint.error().message;
      continue;
    }
    if (!of_known.empty()) {
      verdict.said[tool.name] =
          "not used: on the same cases it complains of the reference: " +
          of_known;
      continue;
    }
    verdict.said[tool.name] =
        *complaint ? (*complaint)->message : std::string("clean");
    if (*complaint) {
      verdict.complaint = std::move(*complaint);
      break;
    }
  }
  return verdict;
}

}  // namespace evoke::judge
