#include "evoke/evaluation/judge/confirmer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <iterator>
#include <map>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/evaluation/judge/verdict.h"

namespace evoke::judge {
namespace {

constexpr const char* kRivalName = "previous best";
// Enough for a pair of each process in a race on unseen inputs.
constexpr int kUnseenCopies = 16;

void append(std::vector<ShapeMeasurement>& to,
            std::vector<ShapeMeasurement> from) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

// The time of its scope, which the outcome tells.
class StepTimer {
 public:
  StepTimer(Judging& judging, const char* step)
      : judging_(judging), step_(step) {}
  ~StepTimer() { judging_.add_step(step_, monotonic_ns() - begin_ns_); }
  StepTimer(const StepTimer&) = delete;
  StepTimer& operator=(const StepTimer&) = delete;

 private:
  Judging& judging_;
  const char* step_;
  int64_t begin_ns_ = monotonic_ns();
};

}  // namespace

Confirmer::Confirmer(Workbench& bench, RaceTrack& track, Reference reference,
                     std::vector<Opponent*> baselines, ConfirmerOptions options)
    : bench_(bench),
      track_(track),
      reference_(std::move(reference)),
      baselines_(std::move(baselines)),
      options_(std::move(options)),
      validators_(options_.tools) {}

Outcome Confirmer::confirm(const EvaluationRequest& request) {
  Judging judging(bench_, request.candidate, track_.shapes());
  judging.plan();
  if (!judging.done()) {
    judging.compile(track_.workload(), {GateLevel::screen, GateLevel::full});
  }
  if (!judging.done()) judging.load();
  judging.enter(Stage::confirm);
  std::vector<Shape> timed;
  std::vector<ShapeMeasurement> shapes;
  // Most that fail do so here, where it takes the least time; every timed
  // answer is checked, too.
  if (!judging.done()) race(judging, request, timed, shapes);
  // Tools watch beside the gate: what one waits for is seldom what the other
  // does.
  std::future<RunnerResult<Validators::Verdict>> watched;
  if (!judging.done() && !validators_.empty()) {
    watched = std::async(std::launch::async, [&] {
      return validators_.judge(bench_, judging.build(), track_.workload(),
                               reference_.text);
    });
  }
  if (!judging.done()) {
    const StepTimer timer(judging, "gate");
    judging.run_gate(Stage::confirm, track_.workload(), GateLevel::full,
                     options_.gate, CaseSeeds::fresh);
  }
  if (watched.valid()) {
    const StepTimer timer(judging, "validation");
    auto verdict = watched.get();
    if (!judging.done()) judging.take_validation(std::move(verdict));
  }
  if (!judging.done()) {
    const StepTimer timer(judging, "baselines");
    race_baselines(judging, shapes);
  }
  if (!judging.done()) judging.veto_implausible(track_, timed, shapes, 1.0);
  if (!judging.done()) {
    judging.end_measured(OutcomeKind::confirmed, std::move(shapes));
  } else if (judging.outcome().kind == OutcomeKind::not_confirmed) {
    Measurements measurements;
    measurements.shapes = std::move(shapes);
    judging.outcome().measurements = std::move(measurements);
  }
  return judging.finish();
}

Workload Confirmer::with_secret_lengths(const KernelBuild& build,
                                        const std::string& rival) const {
  // Who declares not to take a length is not raced on it.
  const auto takes = [&](const std::string& text, const Shape& shape) {
    return bench_.plan(text, kRivalName, {shape}).has_value();
  };
  Workload workload = track_.workload();
  std::map<int, std::vector<Shape>> served;  // by variant
  for (const WorkloadShape& each : workload.shapes) {
    const auto plan = build.plan_for(each.shape);
    if (plan) served[static_cast<int>(plan->variant)].push_back(each.shape);
  }
  for (const auto& [variant, shapes] : served) {
    for (Shape& secret : bench_.problem().shapes_between(
             shapes, options_.secret_lengths, secret_seed())) {
      if (!build.plan_for(secret) || !takes(rival, secret) ||
          !takes(reference_.text, secret)) {
        continue;
      }
      secret.name = "secret " + secret.name;
      workload.shapes.push_back({std::move(secret), 0.0});
    }
  }
  return workload;
}

void Confirmer::race(Judging& judging, const EvaluationRequest& request,
                     std::vector<Shape>& timed,
                     std::vector<ShapeMeasurement>& shapes) {
  const bool first = request.rival_text.empty();
  const std::string& rival = first ? reference_.text : request.rival_text;
  RaceTrackOptions options = track_.options();
  options.like = &track_;
  options.min_copies = kUnseenCopies;
  options.unseen = true;
  auto fresh = RaceTrack::open(
      bench_, with_secret_lengths(judging.build(), rival), options);
  if (!fresh) return judging.end(fresh.error());
  timed = (*fresh)->shapes();
  judging.compile(timed);  // secret lengths may need units of their own
  if (judging.done()) return;
  RaceTrack::Request pairs;
  pairs.num_pairs = options_.num_pairs;
  pairs.confidence = options_.confidence;
  pairs.unseen_inputs = true;
  pairs.skip_same_code = true;

  auto reference = (*fresh)->opponent(reference_.name, reference_.text);
  if (!reference) return judging.end(reference.error());
  // Where nothing is raced nobody asks what noise is.
  std::vector<bool> same = (*fresh)->same_code(judging.build(), **reference);
  if (rival != reference_.text) {
    auto other = (*fresh)->opponent(kRivalName, rival);
    if (!other) return judging.end(other.error());
    const std::vector<bool> as_rival =
        (*fresh)->same_code(judging.build(), **other);
    for (std::size_t i = 0; i < same.size(); ++i) {
      same[i] = same[i] && as_rival[i];
    }
  }
  {
    const StepTimer timer(judging, "noise");
    auto noise = (*fresh)->race_same_kernel_unseen(**reference, same);
    if (!noise) return judging.end(noise.error());
  }

  // Scores are relative to the reference, so it comes first.
  shapes = race_kernel(judging, **fresh, reference_, pairs, CacheState::cold);
  if (judging.done()) return;
  if (rival != reference_.text) {
    auto against_rival = race_kernel(judging, **fresh, {kRivalName, rival},
                                     pairs, CacheState::cold);
    if (!judging.done()) {
      judge_race(judging, **fresh, against_rival, /*must_win=*/true);
    }
    append(shapes, std::move(against_rival));
  } else if (request.candidate.text != rival) {
    judge_race(judging, **fresh, shapes, /*must_win=*/!first);
  }
  if (judging.done()) return;
  pairs.num_pairs = options_.warm_pairs;
  pairs.unseen_inputs = false;
  pairs.skip_same_code = false;
  append(shapes,
         race_kernel(judging, **fresh, reference_, pairs, CacheState::warm));
}

std::vector<ShapeMeasurement> Confirmer::race_kernel(
    Judging& judging, RaceTrack& track, const Reference& reference,
    const RaceTrack::Request& request, CacheState state) {
  auto opponent = track.opponent(reference.name, reference.text, state);
  if (!opponent) {
    judging.end(opponent.error());
    return {};
  }
  auto result = judging.race(track, **opponent, request);
  return result ? std::move(result->shapes) : std::vector<ShapeMeasurement>{};
}

// Whether the candidate won where it differs, and lost nowhere where nobody
// looked before.
void Confirmer::judge_race(Judging& judging, const RaceTrack& track,
                           const std::vector<ShapeMeasurement>& shapes,
                           bool must_win) {
  const int needed = least_pairs(options_.confidence);
  std::vector<const ShapeMeasurement*> raced;
  std::vector<WorkloadShape> raced_shapes;
  for (const ShapeMeasurement& shape : shapes) {
    if (shape.same_code) continue;
    const int pairs = static_cast<int>(shape.pairs.size());
    if (pairs < needed) {
      return judging.end(
          OutcomeKind::infrastructure_failed,
          fmt::format("{}: {} pairs, and {} were thrown away because the "
                      "processor's clock changed; {:.1f} % confidence takes "
                      "{}; is the machine busy with something else?",
                      shape.shape, pairs, shape.discarded_pairs,
                      100 * options_.confidence, needed));
    }
    if (shape.weight > 0) {
      raced.push_back(&shape);
      raced_shapes.emplace_back().shape.name = shape.shape;
      raced_shapes.back().weight = shape.weight;
    } else if (shape.verdict == SpeedVerdict::slower) {
      judging.end(
          OutcomeKind::not_confirmed,
          fmt::format("{:.1f} % slower than the {} at {}, a length "
                      "that is not timed in the search",
                      100 * (1 - shape.speedup), shape.baseline, shape.shape));
      return;
    }
  }
  if (!must_win) return;
  if (raced.empty()) {
    return judging.end(OutcomeKind::not_confirmed,
                       fmt::format("the same machine code as the {} at every "
                                   "timed shape",
                                   shapes.front().baseline));
  }
  const LogRatioInterval interval =
      weighted_interval(raced, options_.confidence, secret_seed());
  const double effect =
      track.noise(/*unseen_inputs=*/true)
          .minimum_weighted_effect(raced_shapes, options_.num_pairs);
  if (verdict_of(interval, effect) == SpeedVerdict::faster) return;
  judging.end(OutcomeKind::not_confirmed,
              fmt::format("{:.3f} x the {} ({:.3f} to {:.3f} at {:.1f} % "
                          "confidence, where they differ; {:.3f} is noise "
                          "there)",
                          std::exp(interval.median), raced.front()->baseline,
                          std::exp(interval.low), std::exp(interval.high),
                          100 * options_.confidence, std::exp(effect)));
}

// For the record: a baseline that fails says nothing about the candidate.
void Confirmer::race_baselines(Judging& judging,
                               std::vector<ShapeMeasurement>& shapes) {
  RaceTrack::Request request;
  request.num_pairs = options_.baseline_pairs;
  request.confidence = options_.baseline_confidence;
  for (Opponent* baseline : baselines_) {
    auto result = track_.race(judging.kernel(), *baseline, request);
    if (result && !result->failure) {
      append(shapes, std::move(result->shapes));
    } else if (result) {
      return judging.end(result->failure->failure);
    } else if (!judging.kernel().runner().usable() || bench_.stopping()) {
      return judging.end(result.error());
    } else {
      judging.outcome().details["baselines"][baseline->name()] =
          result.error().message;
    }
  }
}

}  // namespace evoke::judge
