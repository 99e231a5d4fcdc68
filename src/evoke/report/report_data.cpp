#include "evoke/report/report_data.h"

#include <fmt/format.h>

#include <algorithm>

#include "evoke/core/kernel_source.h"
#include "evoke/report/tables.h"

namespace evoke {
namespace {

// Folds the steps of a run into a report.
class Reader {
 public:
  explicit Reader(RunReport& report) : report_(report) {}

  void add(Step&& step) {
    const CandidateId id = step.candidate.id;
    for (std::size_t i = 0; i < kNumStages; ++i) {
      report_.stage_ms[i] += step.outcome.stage_ms[i];
    }
    if (step.outcome.ranked()) {
      fitness_[id] = *step.outcome.fitness;
      if (step.purpose == EvaluationPurpose::score) {
        report_.scored.push_back({step.elapsed_s, step.outcome.fitness->value});
      }
    } else {
      ++report_.ended_at[static_cast<std::size_t>(step.outcome.stage)];
    }
    const Json& details = step.outcome.details;
    if (const auto device = details.find("device");
        device != details.end() && device->is_string()) {
      DeviceShare& share = report_.devices[device->get<std::string>()];
      ++share.judged;
      share.confirmed += step.outcome.kind == OutcomeKind::confirmed;
    }
    for (const Effect& effect : step.effects) add(effect, step);
    if (step.outcome.details.contains("confinement")) {
      confinement_ = step.outcome.details["confinement"];
    }
    step.candidate.text.clear();  // a report needs the best's text only
    candidates_.insert_or_assign(id, std::move(step.candidate));
  }

  void finish() {
    for (auto& [place, id] : cells_) {
      const auto found = fitness_.find(id);
      if (found == fitness_.end()) continue;
      auto& [island, bins] = place;
      auto cell = std::find_if(report_.cells.begin(), report_.cells.end(),
                               [&, &want = bins](const CellElite& have) {
                                 return have.bins == want;
                               });
      if (cell == report_.cells.end()) {
        report_.cells.push_back({bins, id, found->second.value});
      } else if (found->second.value > cell->fitness) {
        *cell = {bins, id, found->second.value};
      }
    }
    if (report_.best) trace_lineage(report_.best->candidate.id);
    read_confinement();
  }

 private:
  void add(const Effect& effect, const Step& step) {
    if (effect.kind == "best") {
      const CandidateId id = effect.detail.value("candidate", CandidateId{0});
      if (id == step.candidate.id && step.outcome.fitness) {
        bests_.push_back(step);
        report_.best = step;
        report_.best_over_time.push_back(
            {step.elapsed_s, id, *step.outcome.fitness});
      }
    } else if (effect.kind == "best_revoked") {
      std::erase_if(bests_, [&](const Step& best) {
        return best.candidate.id == step.candidate.id;
      });
      report_.best.reset();
      if (!bests_.empty()) report_.best = bests_.back();
    } else if (effect.kind == "elite" || effect.kind == "vacated") {
      const auto key =
          std::pair(effect.detail.value("island", 0),
                    effect.detail.value("cell", std::vector<int>{}));
      if (effect.kind == "vacated") {
        cells_.erase(key);
      } else {
        cells_[key] = effect.detail.value("candidate", CandidateId{0});
      }
    }
  }

  void trace_lineage(CandidateId id) {
    // Parents have smaller ids, so this ends.
    while (id > 0) {
      const auto found = candidates_.find(id);
      if (found == candidates_.end()) break;
      const Candidate& candidate = found->second;
      Ancestor ancestor{id, candidate.operation, candidate.summary, {}};
      if (const auto fitness = fitness_.find(id); fitness != fitness_.end()) {
        ancestor.fitness = fitness->second;
      }
      report_.lineage.push_back(std::move(ancestor));
      const CandidateId parent =
          candidate.parents.empty() ? 0 : candidate.parents.front();
      if (parent >= id) break;
      id = parent;
    }
    std::reverse(report_.lineage.begin(), report_.lineage.end());
  }

  void read_confinement() {
    if (confinement_.is_array()) {
      for (const Json& wall : confinement_) {
        report_.confinement.push_back(wall.is_string() ? wall.get<std::string>()
                                                       : wall.dump());
      }
    } else if (confinement_.is_object()) {
      for (const auto& [wall, state] : confinement_.items()) {
        report_.confinement.push_back(
            wall + ": " +
            (state.is_string() ? state.get<std::string>() : state.dump()));
      }
    }
  }

  RunReport& report_;
  std::map<CandidateId, Candidate> candidates_;
  std::map<CandidateId, Fitness> fitness_;
  std::map<std::pair<int, std::vector<int>>, CandidateId> cells_;
  std::vector<Step> bests_;  // confirmed and not revoked, newest last
  Json confinement_;
};

// Every gene as "name" or "variant.name".
std::map<std::string, int64_t> genes_of(const KernelPlan& plan) {
  std::map<std::string, int64_t> genes;
  for (const Parameter& parameter : plan.parameters) {
    genes[parameter.name] = parameter.value;
  }
  for (const Variant& variant : plan.variants) {
    for (const auto& [name, value] : variant.parameters) {
      genes[variant.name + "." + name] = value;
    }
  }
  return genes;
}

void compare_genes(const RunStore& store, RunReport& report) {
  if (!report.best || report.lineage.size() < 2) return;
  const auto founder = store.step_of(report.lineage.front().id);
  if (!founder) return;
  const auto parse = [](const Step& step, Dialect dialect) {
    return KernelSource::parse(step.candidate.text, dialect, "kernel");
  };
  const Dialect dialect = Dialect::cpu;
  const auto before = parse(*founder, dialect);
  const auto after = parse(*report.best, dialect);
  if (!before || !after) return;
  const auto old_genes = genes_of(before->plan());
  for (const auto& [name, value] : genes_of(after->plan())) {
    // An override that the founder lacks is compared with its global value.
    auto old = old_genes.find(name);
    if (old == old_genes.end()) {
      old = old_genes.find(name.substr(name.find('.') + 1));
    }
    if (old == old_genes.end() || old->second == value) continue;
    report.genes.push_back({name, old->second, value});
  }
}

}  // namespace

Result<RunReport> read_report(const RunStore& store) {
  RunReport report;
  report.folder = store.folder();
  report.config = store.config();
  auto summary = store.summary();
  if (!summary) return error_of(summary);
  report.summary = *summary;
  for (const char* key : {"machine", "reference", "device", "devices",
                          "workload", "minimum_effect", "baselines", "finished",
                          "axes", "started", "held_out"}) {
    if (auto value = store.fact(key)) report.facts[key] = std::move(*value);
  }
  if (report.facts.contains("reference")) {
    const Json& reference = report.facts["reference"];
    report.reference = reference.is_string() ? reference.get<std::string>()
                                             : reference.value("name", "");
  }
  report.axes = report.config.features;
  if (report.axes.empty() && report.facts.contains("axes")) {
    for (const Json& axis : report.facts["axes"]) {
      report.axes.push_back({axis.value("name", ""), axis.value("low", 0.0),
                             axis.value("high", 1.0), axis.value("bins", 1),
                             axis.value("log_scale", false)});
    }
  }
  Reader reader(report);
  const auto done = store.each_step([&](Step&& step) {
    reader.add(std::move(step));
    return true;
  });
  if (!done) return error_of(done);
  reader.finish();
  compare_genes(store, report);
  return report;
}

std::string RunReport::headline() const {
  if (!best || !best->outcome.fitness) return "No kernel was confirmed.";
  const Fitness& fitness = *best->outcome.fitness;
  if (best->candidate.generation == 0) {
    return fmt::format(
        "No better kernel found: the best is founder #{}, confirmed at {} of "
        "{}.",
        best->candidate.id,
        speedup_text(fitness.value, fitness.low, fitness.high), reference);
  }
  int shapes = 0;
  int faster = 0;
  if (best->outcome.measurements) {
    for (const auto& shape : best->outcome.measurements->shapes) {
      const bool counts =
          shape.cache_state == CacheState::cold && shape.weight > 0 &&
          shape.baseline == best->outcome.measurements->shapes[0].baseline;
      shapes += counts;
      faster += counts && shape.verdict == SpeedVerdict::faster;
    }
  }
  return fmt::format(
      "Kernel #{} is confirmed at {} of the best seed ({}), faster on {} of {} "
      "shapes.",
      best->candidate.id,
      speedup_text(fitness.value, fitness.low, fitness.high), reference, faster,
      shapes);
}

}  // namespace evoke
