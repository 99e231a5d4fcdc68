// Races in which a process never meets the same inputs twice.
#include <algorithm>
#include <iterator>
#include <utility>

#include "evoke/evaluation/judge/race_track.h"

namespace evoke::judge {
namespace {

using Kind = RunnerFault::Kind;

// Processes per one that would do if no pair were discarded.
constexpr int kMostTries = 3;

}  // namespace

RunnerResult<RaceResult> RaceTrack::race_unseen(const KernelBuild& candidate,
                                                Opponent& opponent,
                                                const Request& request) {
  std::vector<Tally> tallies(tracks_.size());
  RaceResult result;
  const auto wanting = [&] {
    return std::any_of(tallies.begin(), tallies.end(), [&](const Tally& tally) {
      return static_cast<int>(tally.pairs.size()) < request.num_pairs;
    });
  };
  for (int process = 0; process < kMostTries * request.num_pairs && wanting();
       ++process) {
    auto raced =
        race_once_unseen(candidate, opponent, request, tallies, result);
    if (!raced) return fault_of(raced);
    if (result.failure) return result;
  }
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
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
                                               const Request& request,
                                               std::vector<Tally>& tallies,
                                               RaceResult& result) {
  auto fresh = opponent.fresh_side(kPracticeCalls);
  if (!fresh) return blame_opponent(opponent, fresh.error());
  Opponent::Side& side = **fresh;
  auto runner = bench_.candidate_runner();
  if (!runner) return fault_of(runner);
  LoadedKernel kernel(std::move(*runner), candidate);
  std::vector<Entry> entries;
  {
    const auto share = bench_.lock().share(bench_.stop());
    if (!share) return fault(Kind::cancelled, "cancelled");
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      const int missing =
          request.num_pairs - static_cast<int>(tallies[i].pairs.size());
      if (missing <= 0) continue;
      std::optional<ArmFailure> failure;
      auto entry = enter(kernel, nullptr, i, side, /*unseen=*/true, failure);
      if (!entry) return fault_of(entry);
      if (failure) {
        result.failure =
            RaceFailure{tracks_[i].shape.shape.name, std::move(*failure)};
        return {};
      }
      entries.push_back(std::move(*entry));
    }
    // Not before all memory is there: what a process maps later takes from it
    // the addresses that a GPU remembers, and from its opponent nothing.
    for (Entry& entry : entries) {
      auto prepared = entry.race->prepare(entry.wanted_pairs);
      if (!prepared) return prepared;
    }
  }
  {
    const auto claim = bench_.lock().claim(bench_.stop());
    if (!claim) return fault(Kind::cancelled, "cancelled");
    auto ran = run(entries, /*tries_per_pair=*/1, result);
    if (!ran && !side.runner->usable()) {
      return blame_opponent(opponent, ran.error());
    }
    if (!ran || result.failure) return ran;
  }
  for (Entry& entry : entries) {
    Tally& tally = tallies[entry.shape];
    const auto& pairs = entry.race->pairs();
    tally.pairs.insert(tally.pairs.end(), pairs.begin(), pairs.end());
    tally.discarded_pairs += entry.race->discarded_pairs();
    tally.calls_per_block = entry.race->calls_per_block();
  }
  return {};
}

RunnerResult<void> RaceTrack::race_same_kernel_unseen(Opponent& kernel) {
  if (noise_->unseen.known()) return {};
  Request request;
  request.num_pairs = options_.unseen_same_kernel_pairs;
  request.unseen_inputs = true;
  auto result = race_unseen(*kernel.build(), kernel, request);
  if (!result) return fault_of(result);
  if (result->failure) {
    return fault(Kind::unavailable, kernel.name() + " at " +
                                        result->failure->shape + ": " +
                                        result->failure->failure.message);
  }
  std::map<std::string, SameKernelNoise::Races> races;
  for (ShapeMeasurement& shape : result->shapes) {
    races[shape.shape] = {std::move(shape.pairs)};
  }
  noise_->unseen.set(std::move(races));
  return {};
}

}  // namespace evoke::judge
