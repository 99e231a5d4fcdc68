#include "evoke/evolution/parent_selector.h"

#include <algorithm>

#include "evoke/base/error.h"

namespace evoke {

std::string_view to_string(SelectionMode mode) {
  switch (mode) {
    case SelectionMode::explore:
      return "explore";
    case SelectionMode::curiosity:
      return "curiosity";
    case SelectionMode::exploit:
      break;
  }
  return "exploit";
}

ParentSelector::ParentSelector(const SelectionConfig& config) {
  const double total = config.exploit + config.explore + config.curiosity;
  const bool usable = config.exploit >= 0 && config.explore >= 0 &&
                      config.curiosity >= 0 && total > 0;
  if (!usable) {
    throw UsageError(
        "[ParentSelector] the shares exploit, explore and curiosity must be "
        "0 or more, and one of them more. Check [selection].");
  }
  exploit_ = config.exploit / total;
  explore_ = exploit_ + config.explore / total;
}

ParentSelector::Choice ParentSelector::select(const Archive& archive,
                                              Rng& rng) const {
  const auto behind = [&](const Elite& elite) {
    return archive.at_rank(0).member.score.log_value -
           elite.member.score.log_value;
  };
  const double mode = rng.uniform();
  if (mode >= exploit_) {
    const Choice choice =
        mode < explore_ ? Choice{&archive.at_slot(rng.below(archive.size())),
                                 SelectionMode::explore}
                        : Choice{&archive.by_curiosity(rng.uniform()),
                                 SelectionMode::curiosity};
    if (behind(*choice.elite) <= kReach) return choice;
  }
  std::size_t rank = 0;
  while (rng.chance(kDecay)) {
    ++rank;
    if (rank >= archive.size() || behind(archive.at_rank(rank)) > kClose) {
      rank = 0;
    }
  }
  return {&archive.at_rank(rank), SelectionMode::exploit};
}

std::vector<const Elite*> ParentSelector::inspirations(const Archive& archive,
                                                       CandidateId parent,
                                                       int count,
                                                       Rng& rng) const {
  std::vector<const Elite*> chosen;
  const auto wanted = static_cast<std::size_t>(std::max(count, 0));
  const auto add = [&](const Elite& elite) {
    const bool known =
        elite.id() == parent ||
        std::any_of(chosen.begin(), chosen.end(), [&](const Elite* other) {
          return other->id() == elite.id();
        });
    if (!known) chosen.push_back(&elite);
  };
  const std::size_t best = (wanted + 1) / 2;
  archive.visit_by_rank(best + 1, [&](const Elite& elite) {
    if (chosen.size() < best) add(elite);
    return true;
  });
  // A few draws more than wanted: some hit what is chosen already.
  for (std::size_t i = 0; i < 2 * wanted && chosen.size() < wanted; ++i) {
    add(archive.at_slot(rng.below(archive.size())));
  }
  std::sort(chosen.begin(), chosen.end(), [](const Elite* a, const Elite* b) {
    return RankKey{a->member.score.log_value, a->id()} <
           RankKey{b->member.score.log_value, b->id()};
  });
  return chosen;
}

}  // namespace evoke
