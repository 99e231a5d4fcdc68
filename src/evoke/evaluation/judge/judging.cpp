#include "evoke/evaluation/judge/judging.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/hash.h"
#include "evoke/evaluation/judge/case_feed.h"
#include "evoke/evaluation/judge/fault_outcome.h"
#include "evoke/evaluation/judge/outcome_text.h"

namespace evoke::judge {
namespace {

std::string object_identity(const KernelBuild& build,
                            const std::vector<Shape>& shapes) {
  Json identity = Json::array();
  for (const Shape& shape : shapes) {
    Json at_shape = build.identity_at(shape);
    if (!at_shape.is_null()) identity.push_back(std::move(at_shape));
  }
  return "objects:" + hash_hex(identity.dump());
}

Json unit_reports(const KernelBuild& build) {
  Json reports = Json::array();
  for (const auto& [unit, compiled] : build.units()) {
    Json report = compiled->compiled.report;
    report["variant"] = unit.variant;
    report["compile_ms"] = compiled->compiled.elapsed_ms;
    report["cached"] = compiled->was_cached;
    if (!compiled->compiled.diagnostics.empty()) {
      report["diagnostics"] = compiled->compiled.diagnostics;
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace

Judging::Judging(Workbench& bench, const Candidate& candidate,
                 std::vector<Shape> shapes)
    : bench_(bench),
      candidate_(candidate),
      shapes_(std::move(shapes)),
      clock_(outcome_, Stage::plan) {
  outcome_.candidate = candidate.id;
}

void Judging::end(OutcomeKind kind, std::string message) {
  outcome_.kind = kind;
  outcome_.message = std::move(message);
  done_ = true;
}

void Judging::end(const RunnerFault& fault) {
  end(outcome_of(fault.kind), fault.message);
}

void Judging::end(const ArmFailure& failure) {
  end(failure.out_of_bounds ? OutcomeKind::out_of_bounds
      : failure.changed     ? OutcomeKind::nondeterministic
                            : OutcomeKind::incorrect,
      failure.message);
}

void Judging::plan() {
  auto build = bench_.plan(candidate_.text,
                           fmt::format("candidate-{}.{}", candidate_.id,
                                       to_string(bench_.dialect())),
                           shapes_);
  if (!build) {
    end(OutcomeKind::rejected_plan, build.error().message);
    return;
  }
  build_.emplace(std::move(*build));
}

void Judging::check_genome(Novelty& novelty) {
  enter(Stage::novelty);
  const CandidateId holder =
      novelty.claim("genome:" + build_->source().hash(), candidate_.id);
  if (holder != candidate_.id) {
    end_as_duplicate(holder, "is the same kernel file as");
  }
}

void Judging::check_objects(Novelty& novelty) {
  const std::string identity = object_identity(*build_, shapes_);
  outcome_.details["objects"] = identity;
  const CandidateId holder = novelty.claim(identity, candidate_.id);
  if (holder != candidate_.id) {
    end_as_duplicate(
        holder,
        "compiles to the same machine code, launched in the same way, "
        "as");
  }
}

void Judging::end_as_duplicate(CandidateId holder, const std::string& what) {
  outcome_.duplicate_of = holder;
  end(OutcomeKind::duplicate, fmt::format("{} candidate {}", what, holder));
}

void Judging::compile(const Workload& workload,
                      const std::vector<GateLevel>& levels) {
  enter(Stage::compile);
  std::vector<Shape> shapes = shapes_;
  for (const GateLevel level : levels) {
    for (GateCase& each :
         bench_.problem().gate_cases(build_->source(), workload, level)) {
      shapes.push_back(std::move(each.shape));
    }
  }
  compile(shapes);
}

void Judging::compile(const std::vector<Shape>& shapes) {
  auto refusal = bench_.compile(*build_, shapes);
  if (!refusal) {
    // No candidate code has run: whatever happened is the machine's fault.
    end(OutcomeKind::infrastructure_failed, refusal.error().message);
    return;
  }
  if (*refusal) end((*refusal)->kind, (*refusal)->message);
}

void Judging::load() {
  auto runner = bench_.candidate_runner();
  if (!runner) return load_in(fault_of(runner));
  load_in(GateRunner{std::move(*runner)});
}

void Judging::load_in_gate_runner() { load_in(bench_.gate_runner()); }

void Judging::load_in(RunnerResult<GateRunner> taken) {
  if (!taken) {
    end(OutcomeKind::infrastructure_failed, taken.error().message);
    return;
  }
  outcome_.details["confinement"] = taken->runner->greeting().confinement;
  candidates_before_ = taken->candidates;
  kernel_.emplace(std::move(taken->runner), *build_);
}

void Judging::give_back_runner() {
  const Runner::SharedCalls shared_calls(kernel_->runner(), bench_.lock(),
                                         bench_.stop());
  if (!kernel_->unload()) return;
  bench_.give_back({kernel_->shared_runner(), candidates_before_});
}

void Judging::run_gate(Stage stage, const Workload& workload, GateLevel level,
                       const GateOptions& options, CaseSeeds seeds) {
  enter(stage);
  const auto draw = seeds == CaseSeeds::fresh
                        ? std::nullopt
                        : std::optional(static_cast<uint64_t>(candidate_.id));
  CaseFeed feed(bench_,
                bench_.problem().gate_cases(build_->source(), workload, level),
                draw);
  std::unique_ptr<Runner::SharedCalls> shared_calls;
  std::optional<Gate> gate;
  const auto open_gate = [&] {
    shared_calls = bench_.shared_calls(kernel_->runner());
    gate.emplace(*kernel_, options, secret_seed(), &bench_.memory(),
                 bench_.stop());
  };
  open_gate();
  while (!feed.done()) {
    auto pooled = feed.next();
    std::string key;
    if (pooled && seeds == CaseSeeds::pooled) {
      key = PassedCases::key(**pooled, *build_, options);
      if (auto known = bench_.passed_cases().find(key)) {
        cases_.push_back(*std::move(known));
        continue;
      }
    }
    const auto share = bench_.share_processor();
    if (!pooled || !share) {
      end(OutcomeKind::infrastructure_failed,
          pooled ? "cancelled" : pooled.error().message);
      return;
    }
    CaseResult checked = gate->check(**pooled);
    if (checked.failure && candidates_before_ > 0) {
      gate.reset();
      shared_calls.reset();
      load();
      if (done_) return;
      open_gate();
      checked = gate->check(**pooled);
    }
    cases_.push_back(std::move(checked));
    const CaseResult& result = cases_.back();
    if (result.failure) {
      if (!result.finding.empty()) outcome_.details["finding"] = result.finding;
      end(*result.failure, result.message);
      return;
    }
    if (!key.empty()) bench_.passed_cases().add(key, result);
  }
}

void Judging::add_step(const std::string& step, int64_t ns) {
  Json& sum = outcome_.details["step_ms"][step];
  sum = (sum.is_number() ? sum.get<double>() : 0.0) +
        static_cast<double>(ns) * 1e-6;
}

void Judging::take_validation(RunnerResult<Validators::Verdict> verdict) {
  if (!verdict) return end(verdict.error());
  outcome_.details["validation"] = verdict->said;
  if (!verdict->complaint) return;
  end(verdict->complaint->out_of_bounds ? OutcomeKind::out_of_bounds
                                        : OutcomeKind::incorrect,
      verdict->complaint->message);
}

std::optional<RaceResult> Judging::race(RaceTrack& track, Opponent& opponent,
                                        const RaceTrack::Request& request) {
  const int64_t begin_ns = monotonic_ns();
  auto result = track.race(*kernel_, opponent, request);
  if (!result) {
    end(result.error());
    return std::nullopt;
  }
  const int64_t ns = monotonic_ns() - begin_ns;
  const int64_t busy_ns = result->inputs_ns + result->claim_ns +
                          result->loading_ns + result->practice_ns +
                          result->pairs_ns;
  add_step("waiting for a turn", ns - busy_ns);
  add_step("making inputs", result->inputs_ns);
  add_step("waiting for calls", result->claim_ns);
  add_step("loading", result->loading_ns);
  add_step("practice", result->practice_ns);
  add_step("pairs", result->pairs_ns);
  if (result->failure) {
    end(result->failure->failure);
    return std::nullopt;
  }
  return std::move(*result);
}

void Judging::veto_implausible(RaceTrack& track,
                               const std::vector<Shape>& timed,
                               std::vector<ShapeMeasurement>& shapes,
                               double suspicion) {
  const auto below = [](const ShapeMeasurement& shape, double share) {
    return !shape.same_code && shape.candidate_us < share * shape.roof_us;
  };
  bool remeasured = false;
  for (ShapeMeasurement& shape : shapes) {
    if (!below(shape, suspicion)) continue;
    if (!remeasured) {
      if (auto again = track.remeasure_roofline(); !again) {
        end(again.error());
        return;
      }
      remeasured = true;
    }
    for (const Shape& each : timed) {
      if (each.name == shape.shape) {
        shape.roof_us = track.roof_us(each, shape.cache_state);
      }
    }
    if (!below(shape, kImplausibleShare)) continue;
    end(OutcomeKind::implausible,
        fmt::format("{}: took {:.2f} us, and this machine needs {:.2f} us to "
                    "read its inputs and do its arithmetic",
                    shape.shape, shape.candidate_us, shape.roof_us));
    Measurements measurements;
    measurements.shapes = shapes;
    outcome_.measurements = std::move(measurements);
    return;
  }
}

void Judging::end_measured(OutcomeKind kind,
                           std::vector<ShapeMeasurement> shapes) {
  Measurements measurements;
  measurements.shapes = std::move(shapes);
  measurements.features = features_of(*build_, shapes_);
  outcome_.fitness = fitness_of(measurements);
  end(kind, describe(measurements, *outcome_.fitness));
  outcome_.measurements = std::move(measurements);
}

Outcome Judging::finish() {
  if (!cases_.empty()) outcome_.details["gate"] = to_json(cases_);
  if (build_) outcome_.details["units"] = unit_reports(*build_);
  if (outcome_.kind == OutcomeKind::measured && kernel_) give_back_runner();
  enter(outcome_.stage);
  return std::move(outcome_);
}

}  // namespace evoke::judge
