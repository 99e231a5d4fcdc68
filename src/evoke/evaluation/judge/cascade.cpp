#include "evoke/evaluation/judge/cascade.h"

#include <utility>

#include "evoke/evaluation/judge/judging.h"

namespace evoke::judge {

Cascade::Cascade(Workbench& bench, RaceTrack& track, Opponent& reference,
                 Novelty& novelty, CascadeOptions options)
    : bench_(bench),
      track_(track),
      reference_(reference),
      novelty_(novelty),
      options_(options) {}

Outcome Cascade::judge(const EvaluationRequest& request) {
  const bool first_time = request.purpose == EvaluationPurpose::score;
  const Workload& workload = track_.workload();
  Judging judging(bench_, request.candidate, track_.shapes());
  judging.plan();
  if (!judging.done() && first_time) judging.check_genome(novelty_);
  if (!judging.done()) {
    judging.compile(workload, {GateLevel::screen, GateLevel::gate});
  }
  if (!judging.done() && first_time) judging.check_objects(novelty_);
  if (!judging.done()) judging.load_in_gate_runner();
  if (!judging.done()) {
    judging.run_gate(Stage::screen, workload, GateLevel::screen,
                     options_.screen, CaseSeeds::pooled);
  }
  if (!judging.done() && first_time) {
    judging.run_gate(Stage::gate, workload, GateLevel::gate, options_.gate,
                     CaseSeeds::pooled);
  }
  if (!judging.done()) {
    judging.enter(Stage::time);
    RaceTrack::Request race;
    race.num_pairs = options_.num_pairs;
    race.confidence = options_.confidence;
    race.skip_same_code = true;
    if (first_time) race.stop_below_fitness = request.stop_below_fitness;
    auto result = judging.race(track_, reference_, race);
    if (result)
      judging.veto_implausible(track_, track_.shapes(), result->shapes);
    if (!judging.done()) {
      judging.outcome().details["stopped_early"] = result->stopped_early;
      judging.outcome().details["empty_block_us"] = track_.empty_block_us();
      judging.end_measured(OutcomeKind::measured, std::move(result->shapes));
    }
  }
  Outcome outcome = judging.finish();
  if (outcome.kind == OutcomeKind::infrastructure_failed) {
    novelty_.forget(request.candidate.id);
  }
  return outcome;
}

}  // namespace evoke::judge
