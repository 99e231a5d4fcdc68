#include "evoke/cli/search_judge.h"

#include <algorithm>
#include <string>
#include <utility>

#include "evoke/base/log.h"
#include "evoke/cli/commands.h"
#include "evoke/evaluation/judge/profiler.h"

namespace evoke::cli {
namespace {

constexpr int kSeedRacePairs = 6;

// What candidates are raced against in the search is the best that is known
// at its start, so that a score above 1 means something.
judge::Confirmer::Reference quickest(judge::Workbench& bench,
                                     judge::RaceTrack& track,
                                     const std::vector<SeedKernel>& founders) {
  const SeedKernel* best = &founders.front();
  if (founders.size() > 1) {
    const auto first = value_or_throw(
        track.opponent(best->name, founders.front().source.text()));
    double best_value = 1;
    judge::RaceTrack::Request request;
    request.num_pairs = kSeedRacePairs;
    for (std::size_t i = 1; i < founders.size(); ++i) {
      const SeedKernel& seed = founders[i];
      auto build =
          bench.plan(seed.source.text(), seed.source.path(), track.shapes());
      if (!build) continue;  // the search will say why
      auto refusal = value_or_throw(bench.compile(*build, track.shapes()));
      if (refusal) continue;
      judge::LoadedKernel kernel(value_or_throw(bench.candidate_runner()),
                                 *build);
      auto raced = track.race(kernel, *first, request);
      if (!raced || raced->failure) continue;
      Measurements measurements;
      measurements.shapes = std::move(raced->shapes);
      const double value = fitness_of(measurements).value;
      if (value > best_value) {
        best_value = value;
        best = &seed;
      }
    }
  }
  return {best->name, best->source.text()};
}

// What the profiler sees of each confirmed kernel, where it is installed.
std::function<void(const Candidate&, Outcome&)> profiling(
    const SearchJudge& judge) {
  judge::Workbench& bench = *judge.laboratory.bench;
  if (bench.greeting().device_kind != "cuda") return {};
  const std::string profiler = judge::find_profiler();
  if (profiler.empty()) {
    log_warn("outcomes and prompts have no profiler section: " +
             judge::profiler_missing());
    return {};
  }
  const Workload& workload = judge.laboratory.workload;
  return [&bench, &workload, profiler](const Candidate& candidate,
                                       Outcome& outcome) {
    outcome.details["profile"] =
        judge::profile_heaviest(bench, candidate.text, workload, profiler);
  };
}

}  // namespace

std::unique_ptr<SearchJudge> open_search_judge(
    Laboratory laboratory, const RunConfig& config,
    const std::vector<SeedKernel>& founders,
    std::optional<judge::Confirmer::Reference> reference,
    const std::function<void(const std::string&)>& announce) {
  auto judge = std::make_unique<SearchJudge>();
  judge->laboratory = std::move(laboratory);
  judge::Workbench& bench = *judge->laboratory.bench;

  announce("measuring memory and arithmetic, making inputs");
  judge::RaceTrackOptions track;
  track.block_ms = config.timing.block_ms;
  track.rotation_bytes = config.timing.rotation_bytes;
  track.max_probe_change = config.timing.max_probe_change;
  judge->track = value_or_throw(
      judge::RaceTrack::open(bench, judge->laboratory.workload, track));
  if (!reference) {
    announce("racing the seeds: the quickest one is the reference");
    reference = quickest(bench, *judge->track, founders);
  }
  judge->reference = *reference;
  judge->reference_opponent =
      value_or_throw(judge->track->opponent(reference->name, reference->text));
  announce("racing " + reference->name +
           " against itself: what is noise on this machine?");
  value_or_throw(judge->track->race_same_kernel(*judge->reference_opponent));
  announce("opening the baselines");
  judge->baselines = open_baselines(*judge->track, CacheState::cold);

  judge::CascadeOptions cascade;
  cascade.num_pairs = config.timing.search_pairs;
  judge->cascade = std::make_unique<judge::Cascade>(bench, *judge->track,
                                                    *judge->reference_opponent,
                                                    judge->novelty, cascade);
  judge::ConfirmerOptions confirmer;
  confirmer.num_pairs = config.timing.confirm_pairs;
  confirmer.tools = judge::validation_tools(bench.greeting());
  std::vector<judge::Opponent*> opponents;
  for (const auto& each : judge->baselines.opponents) {
    opponents.push_back(each.get());
  }
  judge->confirmer = std::make_unique<judge::Confirmer>(
      bench, *judge->track, judge->reference, opponents, confirmer);
  judge::ParallelEvaluatorOptions evaluator;
  evaluator.num_workers = config.workers;
  evaluator.when_confirmed = profiling(*judge);
  judge->evaluator = std::make_unique<judge::ParallelEvaluator>(
      bench, *judge->cascade, *judge->confirmer, evaluator);
  return judge;
}

Json SearchJudge::conditions(const RunConfig& config) const {
  const judge::Roofline roofline = track->roofline();
  Json facts;
  const auto& greeting = laboratory.bench->greeting();
  facts["device"] = {{"kind", greeting.device_kind},
                     {"name", greeting.device_name},
                     {"features", greeting.features},
                     {"compiler", greeting.compiler_id},
                     {"read_GB_per_s", roofline.read_bytes_per_s * 1e-9},
                     {"GFLOP_per_s", roofline.flops_per_s * 1e-9},
                     {"cold_bytes", roofline.cold_bytes},
                     {"rotation_bytes", track->rotation_bytes()},
                     {"empty_block_us", track->empty_block_us()}};
  facts["minimum_effect"] = Json::object();
  for (const Shape& shape : track->shapes()) {
    facts["minimum_effect"][shape.name] =
        track->noise(/*unseen_inputs=*/false)
            .minimum_effect(shape.name, config.timing.search_pairs);
  }
  facts["reference"] = {{"name", reference.name}, {"text", reference.text}};
  facts["baselines"] = Json::object();
  for (const auto& each : baselines.opponents) {
    facts["baselines"][each->name()] = {{"version", each->version()}};
    if (auto side = each->side()) {
      Json& notes = facts["baselines"][each->name()]["gate"];
      for (std::size_t i = 0; i < (*side)->notes.size(); ++i) {
        const std::string& note = (*side)->notes[i];
        notes[track->shapes()[i].name] = note.empty() ? "right" : note;
      }
    }
  }
  for (const auto& [name, reason] : baselines.missing) {
    facts["baselines"][name] = {{"missing", reason}};
  }
  return facts;
}

}  // namespace evoke::cli
