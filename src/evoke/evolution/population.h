// Who lives where: every candidate's numbers, and the islands with their
// archives. Part of the fold over applied outcomes: nothing here knows what
// is in flight.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "evoke/base/rng.h"
#include "evoke/core/run_config.h"
#include "evoke/evolution/interfaces/event_sink.h"
#include "evoke/evolution/island.h"

namespace evoke {

struct NoiseConfig {
  double floor = 0.005;      // log ratio that is noise whatever the MDE says
  int challenges = 4;        // within noise, before an elite is re-measured
  int max_measurements = 4;  // of one candidate
};

struct PopulationConfig {
  IslandConfig islands;
  std::vector<FeatureAxisConfig> features;  // empty: the default map
  NoiseConfig noise;
  // Shapes whose names begin like this make the feature `balance`.
  std::string balance_over = "decode";
  std::string balance_under = "prefill";
};

// The numbers kept of every candidate, for as long as the search runs.
struct Entry {
  std::optional<Score> score;  // absent: not judged, failed or disqualified
  Candidate lineage;           // with the score; without text and hash
  CellIndex cell = 0;
  int seats = 0;         // cells it holds, over all islands
  uint64_t visited = 0;  // bit i: it has been offered to island i
  int retries = 0;       // evaluations that failed through no fault of its own
  int confirms = 0;      // confirmations that it took part in
  bool refuted = false;  // not confirmed, and not measured since
  bool remeasuring = false;  // another measurement was asked for
};

class Population {
 public:
  static constexpr int kMaxIslands = 64;

  // Throws UsageError on a configuration that makes no sense.
  explicit Population(const PopulationConfig& config);

  Entry& entry(CandidateId id);  // makes it when it is not there
  const Entry* find(CandidateId id) const;

  // A ranked newcomer. Founders (generation 0) go to every island, others to
  // the one that they were made for. Returns whether it took a cell.
  bool add(const Candidate& candidate, const Outcome& outcome,
           const Score& score, std::vector<Effect>& effects);
  // A genome that was judged before, made again for `island`: its known
  // score competes there, too. `again` lends its text if nobody kept it; the
  // rest of the candidate stays what it was.
  void reuse(CandidateId owner, const Candidate& again, bool same_genome,
             std::vector<Effect>& effects);
  // A candidate has another score now: its cells are decided again.
  void rescore(const Candidate& candidate, const Outcome& outcome,
               const Score& score, std::vector<Effect>& effects);
  // It failed after having been ranked: it loses its rank and every cell.
  void disqualify(CandidateId id, std::vector<Effect>& effects);

  void reward_curiosity(int island, CandidateId parent, bool took_cell);
  void migrate(std::vector<Effect>& effects);
  // One more outcome for this island; it starts again from one founder when
  // there were too many without a change. The only island that has `best`
  // never does.
  void count_quiet(int island, CandidateId best, const Rng& root,
                   std::vector<Effect>& effects);

  // Elites to measure again, asked for since the last call.
  std::vector<CandidateId> take_remeasures();

  // A candidate that some cell or the list of founders holds; nullptr else.
  Body body_of(CandidateId id) const;
  // The greatest score of the founders that did not fail; nullopt: all did.
  std::optional<Member> best_founder() const;
  const std::vector<Island>& islands() const { return islands_; }
  const FeatureMap& feature_map() const { return feature_map_; }
  const NoiseConfig& noise() const { return config_.noise; }
  // Every candidate that holds a cell somewhere, best first.
  const std::set<RankKey>& ranked() const { return ranked_; }
  // The cell of its measurements.
  CellIndex cell_of(const Outcome& outcome) const;

  void add_to(Fingerprint& fingerprint) const;

 private:
  // Whether it took the cell. With `challenges` it may also cause the elite
  // to be measured again.
  bool offer(std::size_t island, const Member& member, CellIndex cell,
             bool challenges, std::vector<Effect>& effects);
  void challenge(CandidateId incumbent, const Archive& archive, CellIndex cell,
                 bool ahead, std::vector<Effect>& effects);
  void seat(CandidateId id);
  void unseat(CandidateId id);
  void apply_change(std::size_t island, const CellChange& change,
                    std::vector<Effect>& effects);
  void restart(std::size_t island, const Rng& root,
               std::vector<Effect>& effects);
  PopulationConfig config_;
  FeatureMap feature_map_;
  std::vector<Island> islands_;
  std::vector<Entry> entries_;  // by id, from 1
  std::vector<Body> founders_;  // ranked ones, by id
  std::set<RankKey> ranked_;
  std::vector<CandidateId> remeasures_;
};

}  // namespace evoke
