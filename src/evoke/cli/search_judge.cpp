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

using WhenConfirmed = std::function<void(const Candidate&, Outcome&)>;

// What the profiler sees of each confirmed kernel, where it is installed.
WhenConfirmed profiling(judge::Workbench& bench, const Workload& workload,
                        const std::string& profiler) {
  if (profiler.empty()) return {};
  return [&bench, &workload, profiler](const Candidate& candidate,
                                       Outcome& outcome) {
    outcome.details["profile"] =
        judge::profile_heaviest(bench, candidate.text, workload, profiler);
  };
}

// Empty: no profiler is of use here.
std::string profiler_for(const judge::Workbench& bench) {
  if (bench.greeting().device_kind != "cuda") return "";
  std::string profiler = judge::find_profiler();
  if (profiler.empty()) {
    log_warn("outcomes and prompts have no profiler section: " +
             judge::profiler_missing());
  }
  return profiler;
}

// Reference and baselines, and what is noise, on a track that is open.
void set_up(SearchDevice& device, const RunConfig& config, SearchJudge& judge,
            const std::function<void(const std::string&)>& announce) {
  judge::RaceTrack& track = *device.track;
  const auto& reference = judge.reference;
  device.reference_opponent =
      value_or_throw(track.opponent(reference.name, reference.text));
  announce("racing " + reference.name + " against itself: what is noise on " +
           (judge.laboratory.others.empty() ? std::string("this machine")
                                            : track.device()) +
           "?");
  value_or_throw(track.race_same_kernel(*device.reference_opponent));
  announce("opening the baselines");
  device.baselines = open_baselines(track, CacheState::cold);

  judge::CascadeOptions cascade;
  cascade.num_pairs = config.timing.search_pairs;
  device.cascade = std::make_unique<judge::Cascade>(
      device.bench, track, *device.reference_opponent, judge.novelty, cascade);
  judge::ConfirmerOptions confirmer;
  confirmer.num_pairs = config.timing.confirm_pairs;
  // No more for the record than for the proof.
  confirmer.baseline_pairs =
      std::min(confirmer.baseline_pairs, confirmer.num_pairs);
  confirmer.tools = judge::validation_tools(device.bench.greeting());
  std::vector<judge::Opponent*> opponents;
  for (const auto& each : device.baselines.opponents) {
    opponents.push_back(each.get());
  }
  device.confirmer = std::make_unique<judge::Confirmer>(
      device.bench, track, reference, opponents, confirmer);
}

Json device_facts(const SearchDevice& device) {
  const auto& greeting = device.bench.greeting();
  const judge::Roofline roofline = device.track->roofline();
  Json facts = {{"kind", greeting.device_kind},
                {"name", greeting.device_name},
                {"features", greeting.features},
                {"compiler", greeting.compiler_id},
                {"read_GB_per_s", roofline.read_bytes_per_s * 1e-9},
                {"GFLOP_per_s", roofline.flops_per_s * 1e-9},
                {"cold_bytes", roofline.cold_bytes},
                {"rotation_bytes", device.track->rotation_bytes()},
                {"empty_block_us", device.track->empty_block_us()}};
  if (!greeting.device_id.empty()) facts["id"] = greeting.device_id;
  return facts;
}

Json effect_facts(const SearchDevice& device, const RunConfig& config) {
  Json facts = Json::object();
  for (const Shape& shape : device.track->shapes()) {
    facts[shape.name] =
        device.track->noise(/*unseen_inputs=*/false)
            .minimum_effect(shape.name, config.timing.search_pairs);
  }
  return facts;
}

}  // namespace

std::unique_ptr<SearchJudge> open_search_judge(
    Laboratory laboratory, const RunConfig& config,
    const std::vector<SeedKernel>& founders,
    std::optional<judge::Confirmer::Reference> reference,
    const std::function<void(const std::string&)>& announce,
    std::function<void(const std::string&)> notice) {
  auto judge = std::make_unique<SearchJudge>();
  judge->laboratory = std::move(laboratory);
  const Workload& workload = judge->laboratory.workload;
  const auto benches = judge->laboratory.benches();

  judge::RaceTrackOptions track;
  track.block_ms = config.timing.block_ms;
  track.rotation_bytes = config.timing.rotation_bytes;
  track.max_probe_change = config.timing.max_probe_change;
  for (judge::Workbench* bench : benches) {
    announce(judge->devices.empty()
                 ? "measuring memory and arithmetic, making inputs"
                 : "measuring memory and arithmetic of " +
                       bench->options().device);
    judge->devices.push_back(std::make_unique<SearchDevice>(*bench));
    judge->devices.back()->track =
        value_or_throw(judge::RaceTrack::open(*bench, workload, track));
    track.inputs_of = judge->first().track.get();
  }
  if (!reference) {
    announce("racing the seeds: the quickest one is the reference");
    reference = quickest(*benches.front(), *judge->first().track, founders);
  }
  judge->reference = *reference;

  judge::ParallelEvaluatorOptions evaluator;
  evaluator.num_workers = config.workers;
  evaluator.notice = std::move(notice);
  const std::string profiler = profiler_for(*benches.front());
  std::vector<judge::EvaluatorDevice> devices;
  for (const auto& device : judge->devices) {
    set_up(*device, config, *judge, announce);
    devices.push_back({device->bench, *device->cascade, *device->confirmer,
                       device->bench.greeting().device_id,
                       profiling(device->bench, workload, profiler)});
  }
  judge->evaluator =
      std::make_unique<judge::ParallelEvaluator>(std::move(devices), evaluator);
  return judge;
}

Json SearchJudge::conditions(const RunConfig& config) const {
  Json facts;
  facts["device"] = device_facts(first());
  facts["minimum_effect"] = effect_facts(first(), config);
  if (devices.size() > 1) {
    for (const auto& device : devices) {
      Json each = device_facts(*device);
      each["minimum_effect"] = effect_facts(*device, config);
      for (const auto& [shape, effect] : each["minimum_effect"].items()) {
        Json& all = facts["minimum_effect"][shape];
        all = std::max(all.get<double>(), effect.get<double>());
      }
      facts["devices"].push_back(std::move(each));
    }
  }
  facts["reference"] = {{"name", reference.name}, {"text", reference.text}};
  facts["baselines"] = Json::object();
  const Baselines& baselines = first().baselines;
  for (const auto& each : baselines.opponents) {
    facts["baselines"][each->name()] = {{"version", each->version()}};
    if (auto side = each->side()) {
      Json& notes = facts["baselines"][each->name()]["gate"];
      for (std::size_t i = 0; i < (*side)->notes.size(); ++i) {
        const std::string& note = (*side)->notes[i];
        notes[first().track->shapes()[i].name] = note.empty() ? "right" : note;
      }
    }
  }
  for (const auto& [name, reason] : baselines.missing) {
    facts["baselines"][name] = {{"missing", reason}};
  }
  return facts;
}

}  // namespace evoke::cli
