#include "evoke/cli/held_out.h"

#include <iterator>
#include <utility>

#include "evoke/cli/commands.h"
#include "evoke/core/outcome.h"
#include "evoke/evaluation/judge/judging.h"

namespace evoke::cli {
namespace {

constexpr double kConfidence = 0.999;

}  // namespace

Json race_held_out(const Problem& problem, const RunConfig& config,
                   const SearchDevice& device,
                   const judge::Confirmer::Reference& reference,
                   const Candidate& candidate) {
  Json json = {{"workload", config.held_out}};
  judge::Workbench& bench = device.bench;
  const judge::RaceTrack& calibration = *device.track;
  const Workload workload = value_or_throw(problem.workload(config.held_out));
  judge::RaceTrackOptions options = calibration.options();
  options.like = &calibration;
  auto track = value_or_throw(judge::RaceTrack::open(bench, workload, options));
  judge::Judging judging(bench, candidate, track->shapes());
  judging.plan();
  if (!judging.done()) judging.compile(workload, {GateLevel::gate});
  if (!judging.done()) judging.load();
  if (!judging.done()) {
    judging.run_gate(Stage::gate, workload, GateLevel::gate, {},
                     judge::CaseSeeds::fresh);
  }
  Measurements measurements;
  const auto race = [&](judge::Opponent& opponent, int pairs) {
    if (judging.done()) return;
    judge::RaceTrack::Request request;
    request.num_pairs = pairs;
    request.confidence = kConfidence;
    if (auto result = judging.race(*track, opponent, request)) {
      std::move(result->shapes.begin(), result->shapes.end(),
                std::back_inserter(measurements.shapes));
    }
  };
  if (!judging.done()) {
    if (auto opponent = track->opponent(reference.name, reference.text)) {
      race(**opponent, config.timing.confirm_pairs);
    } else {
      json["reference"] = opponent.error().message;
    }
    Baselines baselines = open_baselines(*track, CacheState::cold);
    for (const auto& baseline : baselines.opponents) {
      race(*baseline, config.timing.confirm_pairs / 2);
    }
  }
  if (judging.done()) json["failed"] = judging.outcome().message;
  json["measurements"] = to_json(measurements);
  return json;
}

}  // namespace evoke::cli
