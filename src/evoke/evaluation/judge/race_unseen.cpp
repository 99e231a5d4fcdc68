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
                                                Opponent::Side& side,
                                                const Request& request) {
  std::vector<Tally> tallies(tracks_.size());
  RaceResult result;
  const auto wanting = [&] {
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (!side.arms[i]) continue;
      if (static_cast<int>(tallies[i].pairs.size()) < request.num_pairs) {
        return true;
      }
    }
    return false;
  };
  for (int process = 0; process < kMostTries * request.num_pairs && wanting();
       ++process) {
    auto raced = race_once_unseen(candidate, side, request, tallies, result);
    if (!raced && !side.runner->usable() &&
        raced.error().kind != Kind::cancelled) {
      return blame_opponent(opponent, raced.error());
    }
    if (!raced) return fault_of(raced);
    if (result.failure) return result;
  }
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (!side.arms[i]) continue;
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
    measured.cache_state = side.cache_state;
    measured.pairs = std::move(tally.pairs);
    measured.discarded_pairs = tally.discarded_pairs;
    measured.calls_per_block = tally.calls_per_block;
    result.shapes.push_back(measurement(request, i, std::move(measured)));
  }
  return result;
}

// As many pairs of every shape as its copies allow, in one process.
RunnerResult<void> RaceTrack::race_once_unseen(const KernelBuild& candidate,
                                               Opponent::Side& side,
                                               const Request& request,
                                               std::vector<Tally>& tallies,
                                               RaceResult& result) {
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
      if (!side.arms[i] || missing <= 0) continue;
      std::optional<ArmFailure> failure;
      auto entry = enter(kernel, i, side, /*unseen=*/true, failure);
      if (!entry) return fault_of(entry);
      if (!failure) {
        entry->wanted_pairs = std::min(entry->wanted_pairs, missing);
        auto prepared = entry->race->prepare(entry->wanted_pairs,
                                             options_.call_timeout_ms, failure);
        if (!prepared) return prepared;
      }
      if (failure) {
        result.failure =
            RaceFailure{tracks_[i].shape.shape.name, std::move(*failure)};
        return {};
      }
      entries.push_back(std::move(*entry));
    }
  }
  {
    const auto claim = bench_.lock().claim(bench_.stop());
    if (!claim) return fault(Kind::cancelled, "cancelled");
    auto ran = run(entries, /*tries_per_pair=*/1, result);
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

}  // namespace evoke::judge
