// One island's grid of elites: at most one per cell, replaced only by what is
// better beyond noise, and never by a limit on how many there are. Every
// operation costs O(log n); ranks are kept, not sorted.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "evoke/evolution/feature_map.h"
#include "evoke/evolution/fingerprint.h"
#include "evoke/evolution/interfaces/proposer.h"
#include "evoke/evolution/score.h"
#include "evoke/evolution/weight_tree.h"

namespace evoke {

// A judged candidate with its text. What nobody holds any more is freed; the
// search keeps only a few numbers of it.
using Body = std::shared_ptr<const Exemplar>;

struct Member {
  Body body;
  Score score;
  CandidateId id() const { return body->candidate.id; }
};

struct Elite {
  Member member;
  CellIndex cell = 0;
  double curiosity = 1;  // grows when children of this cell take cells
  int challenges = 0;    // newcomers within noise since its last measurement
  std::optional<Member> challenger;  // ahead within noise; measuring decides
  std::vector<Member> displaced;     // who held the cell before, newest last

  CandidateId id() const { return member.id(); }
};

// Where a newcomer stands against its cell's elite.
enum class Standing {
  opened,               // the cell was empty; it holds it now
  replaced,             // greater beyond noise; it holds the cell now
  ahead_within_noise,   // greater, but that may be noise
  behind_within_noise,  // not greater, but that may be noise
  behind,
  present,  // it is the elite already
};

// Who entered and who left a cell; 0: nobody.
struct CellChange {
  CellIndex cell = 0;
  CandidateId entered = 0;
  CandidateId left = 0;
};

struct OfferResult {
  Standing standing = Standing::behind;
  CandidateId incumbent = 0;  // the elite it met; 0 in an empty cell
  bool took_cell() const {
    return standing == Standing::opened || standing == Standing::replaced;
  }
};

class Archive {
 public:
  static constexpr std::size_t kMaxDisplaced = 2;
  static constexpr double kMinCuriosity = 0.1;
  static constexpr double kMaxCuriosity = 16;

  Archive(CellIndex num_cells, double noise_floor);

  // The newcomer takes the cell if it is empty or if it is better beyond
  // noise. With `challenge` a newcomer within noise is counted, and the best
  // of those ahead is remembered until settle().
  OfferResult offer(const Member& newcomer, CellIndex cell, bool challenge);
  // The new score of a candidate that is in this cell in any role. Call
  // settle() afterwards.
  void rescore(CellIndex cell, const Member& member);
  // After the elite was measured again: the remembered challenger, or whoever
  // held the cell before, takes it if better beyond noise; the challenger is
  // forgotten otherwise.
  CellChange settle(CellIndex cell);
  // Takes a candidate out of its cell, whatever its role; the best of the
  // others that were there follows it.
  CellChange disqualify(CellIndex cell, CandidateId id);
  void clear();

  std::size_t size() const { return elites_.size(); }
  bool empty() const { return elites_.empty(); }
  // nullptr when the cell is empty.
  const Elite* find(CellIndex cell) const;
  bool holds(CellIndex cell, CandidateId id) const;

  // rank 0 is the best; walks there, so it costs O(rank).
  const Elite& at_rank(std::size_t rank) const;
  // From the best on, at most `count` of them, until `visit` returns false.
  template <typename Visit>
  void visit_by_rank(std::size_t count, Visit visit) const {
    for (const auto& [key, cell] : ranks_) {
      if (count-- == 0 || !visit(elites_[slot_of(cell)])) return;
    }
  }
  // Any order that the history defines; for uniform draws.
  const Elite& at_slot(std::size_t slot) const { return elites_[slot]; }
  // share in [0, 1): in proportion to curiosity.
  const Elite& by_curiosity(double share) const {
    return elites_[curiosity_.find(share)];
  }
  void reward_curiosity(CellIndex cell, bool child_took_cell);

  void add_to(Fingerprint& fingerprint) const;

 private:
  Elite* elite_at(CellIndex cell);
  std::size_t slot_of(CellIndex cell) const;
  void open(const Member& member, CellIndex cell);
  void seat(Elite& elite, Member member);  // puts it on the elite's place
  void close(CellIndex cell);
  static RankKey key_of(const Member& member) {
    return {member.score.log_value, member.id()};
  }

  double noise_floor_;
  std::vector<int32_t> slot_of_cell_;  // -1: empty
  std::vector<Elite> elites_;          // dense
  std::map<RankKey, CellIndex> ranks_;
  WeightTree curiosity_;  // parallel to elites_
};

}  // namespace evoke
