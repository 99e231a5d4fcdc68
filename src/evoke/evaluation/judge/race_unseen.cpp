// Races in which a process never meets the same inputs twice.
#include <algorithm>
#include <future>
#include <iterator>
#include <optional>
#include <utility>

#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/stage_clock.h"

namespace evoke::judge {
namespace {

using Kind = RunnerFault::Kind;

// Processes per one that would do if no pair were discarded.
constexpr int kMostTries = 3;

}  // namespace

RunnerResult<RaceResult> RaceTrack::race_unseen(
    const KernelBuild& candidate, Opponent& opponent, const Request& request,
    const std::vector<bool>& left_out) {
  std::vector<Tally> tallies(tracks_.size());
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    tallies[i].missing = left_out[i] ? 0 : request.num_pairs;
  }
  RaceResult result;
  const auto wanting = [&] {
    return std::any_of(tallies.begin(), tallies.end(),
                       [&](const Tally& tally) { return tally.missing > 0; });
  };
  for (int process = 0; process < kMostTries * request.num_pairs && wanting();
       ++process) {
    auto raced = race_once_unseen(candidate, opponent, tallies, result);
    if (!raced) return fault_of(raced);
    if (result.failure) return result;
  }
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (left_out[i]) {
      result.shapes.push_back(same_code_measurement(request, i, opponent));
      continue;
    }
    Tally& tally = tallies[i];
    if (tally.pairs.empty()) {
      return fault(Kind::unavailable,
                   "the processor's clock held still for none of " +
                       std::to_string(tally.discarded_pairs) +
                       " pairs; is the machine busy with something else?");
    }
    ShapeMeasurement measured;
    measured.shape = tracks_[i].shape.shape.name;
    measured.baseline = opponent.name();
    measured.pairs = std::move(tally.pairs);
    measured.discarded_pairs = tally.discarded_pairs;
    measured.calls_per_block = tally.calls_per_block;
    result.shapes.push_back(measurement(request, i, std::move(measured)));
  }
  return result;
}

// A pair of every shape, in one process of each side: what chance gives a
// process, say where its memory lies, is drawn anew for the next pair.
RunnerResult<void> RaceTrack::race_once_unseen(const KernelBuild& candidate,
                                               Opponent& opponent,
                                               std::vector<Tally>& tallies,
                                               RaceResult& result) {
  std::vector<bool> not_wanted;
  for (const Tally& tally : tallies) not_wanted.push_back(tally.missing <= 0);
  auto runner = bench_.candidate_runner();
  if (!runner) return fault_of(runner);
  auto other = bench_.candidate_runner();
  if (!other) return fault_of(other);
  // A turn of its own, as one candidate of a search has, from practice to the
  // end of both processes.
  const bool own_clock = bench_.greeting().own_clock;
  const auto turn = own_clock ? turns_->take(bench_.stop())
                              : std::optional<RaceTurns::Turn>();
  auto held = own_clock ? std::optional<DeviceLock::Claim>()
                        : bench_.lock().share(bench_.stop());
  if (!turn && !held) return fault(Kind::cancelled, "cancelled");
  if (turn) result.claim_ns += turn->claim_ns();
  LoadedKernel kernel(std::move(*runner), candidate);
  auto pair =
      practise_unseen(kernel, opponent, std::move(*other), not_wanted, result);
  if (!pair) return fault_of(pair);
  if (result.failure) return {};
  if (!turn) {
    held.reset();
    held = bench_.lock().claim(bench_.stop());
    if (!held) return fault(Kind::cancelled, "cancelled");
  }
  auto ran = run(pair->entries, /*tries_per_pair=*/1, result);
  if (!ran && !pair->opponent->runner->usable()) {
    return blame_opponent(opponent, ran.error());
  }
  if (!ran || result.failure) return ran;
  for (const Entry& entry : pair->entries) {
    Tally& tally = tallies[entry.shape];
    const auto& pairs = entry.race->pairs();
    tally.pairs.insert(tally.pairs.end(), pairs.begin(), pairs.end());
    tally.missing -= static_cast<int>(pairs.size());
    tally.discarded_pairs += entry.race->discarded_pairs();
    tally.calls_per_block = entry.race->calls_per_block();
  }
  return {};
}

RunnerResult<RaceTrack::UnseenPair> RaceTrack::practise_unseen(
    LoadedKernel& candidate, Opponent& opponent, std::shared_ptr<Runner> other,
    const std::vector<bool>& left_out, RaceResult& result) {
  const ScopeTimer timer(result.practice_ns);
  // Where they take nothing from each other the sides practise at a time.
  auto fresh = std::async(
      bench_.greeting().own_clock ? std::launch::async : std::launch::deferred,
      [&] {
        return opponent.fresh_side(std::move(other), kPracticeCalls, left_out);
      });
  if (!bench_.greeting().own_clock) fresh.wait();
  std::vector<std::unique_ptr<Arm>> arms(tracks_.size());
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (left_out[i]) continue;
    std::optional<ArmFailure> failure;
    auto arm = practised(candidate, nullptr, i, CacheState::cold, failure);
    if (!arm) return fault_of(arm);
    if (failure) {
      result.failure =
          RaceFailure{tracks_[i].shape.shape.name, std::move(*failure)};
      return UnseenPair();
    }
    arms[i] = std::move(*arm);
  }
  auto started = fresh.get();
  if (!started) return blame_opponent(opponent, started.error());
  UnseenPair pair;
  pair.opponent = std::move(*started);
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (!arms[i]) continue;
    pair.entries.push_back(
        enter(std::move(arms[i]), i, *pair.opponent, /*unseen=*/true));
  }
  // Not before all memory is there: what a process maps later takes from it
  // the addresses that a GPU remembers, and from its opponent nothing.
  for (Entry& entry : pair.entries) {
    auto prepared = entry.race->prepare(entry.wanted_pairs);
    if (!prepared) return fault_of(prepared);
  }
  return pair;
}

RunnerResult<void> RaceTrack::race_same_kernel_unseen(
    Opponent& kernel, std::vector<bool> left_out) {
  bool anything = false;
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    const WorkloadShape& each = tracks_[i].shape;
    if (!(each.weight > 0)) continue;
    left_out[i] = left_out[i] || noise_->unseen.knows(each.shape.name);
    anything = anything || !left_out[i];
  }
  if (!anything) return {};
  if (auto filled = fill_inputs(left_out); !filled) return filled;
  Request request;
  request.num_pairs = options_.unseen_same_kernel_pairs;
  request.unseen_inputs = true;
  auto result = race_unseen(*kernel.build(), kernel, request, left_out);
  if (!result) return fault_of(result);
  if (result->failure) {
    return fault(Kind::unavailable, kernel.name() + " at " +
                                        result->failure->shape + ": " +
                                        result->failure->failure.message);
  }
  std::map<std::string, SameKernelNoise::Races> races;
  for (ShapeMeasurement& shape : result->shapes) {
    if (!shape.same_code) races[shape.shape] = {std::move(shape.pairs)};
  }
  noise_->unseen.add(std::move(races));
  return {};
}

}  // namespace evoke::judge
