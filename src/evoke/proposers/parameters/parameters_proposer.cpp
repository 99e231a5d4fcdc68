#include "evoke/proposers/parameters/parameters_proposer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "evoke/base/rng.h"
#include "evoke/proposers/parameters/crossover.h"
#include "evoke/proposers/parameters/division.h"
#include "evoke/proposers/parameters/genes.h"
#include "evoke/proposers/parameters/simplify.h"
#include "evoke/proposers/parameters/usage.h"

namespace evoke {
namespace {

using namespace parameters;

std::string path_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::cuda:
      return "proposal.cu";
    case Dialect::metal:
      return "proposal.metal";
    case Dialect::cpu:
      break;
  }
  return "proposal.cpp";
}

// One request being answered.
class Answer {
 public:
  Answer(const ProposalRequest& request, const ParametersOptions& options,
         KernelSource parent)
      : request_(request),
        options_(options),
        parent_(std::move(parent)),
        plain_parent_(normalised(parent_.plan())),
        in_use_(names_in_use(parent_)),
        rng_(request.rng_seed) {}

  Result<Proposal> find() {
    for (const std::string& operation : order()) {
      for (int i = 0; i < options_.draws; ++i) {
        auto child = draw(operation);
        if (!child) break;  // this parent does not allow it
        if (auto proposal = checked(*std::move(child), operation)) {
          return *std::move(proposal);
        }
      }
    }
    return absent(fmt::format(
        "candidate {} has no gene that can be changed within its constraints",
        request_.parent.candidate.id));
  }

 private:
  struct Child {
    KernelPlan plan;
    std::string code;
    std::string summary;  // empty: what changed in the plan says it
    CandidateId mate = 0;
  };

  // The operation asked for, then the others in random order; simplifying
  // only on request, for it hardly ever makes a kernel faster.
  std::vector<std::string> order() {
    std::vector<std::string> others{"step",       "jump",
                                    "recombine",  "variant_crossover",
                                    "specialise", "divide"};
    rng_.shuffle(others);
    std::vector<std::string> order;
    if (!request_.operation.empty()) order.push_back(request_.operation);
    for (std::string& other : others) {
      if (other != request_.operation) order.push_back(std::move(other));
    }
    return order;
  }

  // nullopt: impossible, and drawing again will not help.
  std::optional<Child> draw(const std::string& operation) {
    if (operation == "step") return step();
    if (operation == "jump") return jump();
    if (operation == "recombine") return recombine();
    if (operation == "variant_crossover") return variant_crossover();
    if (operation == "specialise") return specialise();
    if (operation == "divide") return divide();
    if (operation == "simplify") return simplify();
    return std::nullopt;
  }

  Child unchanged() const {
    return {parent_.plan(), std::string(parent_.code()), "", 0};
  }

  // Whether the gene can change what is launched. `plan`: of the parent's
  // variants.
  bool matters(const KernelPlan& plan, const Gene& gene) const {
    const std::string& name = plan.parameters[gene.parameter].name;
    if (gene.variant != Gene::kGlobal) {
      return in_use_[gene.variant].contains(name);
    }
    for (std::size_t v = 0; v < plan.variants.size(); ++v) {
      const bool own = plan.variants[v].parameters.contains(name);
      if (!own && in_use_[v].contains(name)) return true;
    }
    return false;
  }

  std::vector<Gene> genes_that_matter(const KernelPlan& plan) const {
    std::vector<Gene> genes = genes_of(plan);
    std::erase_if(genes,
                  [&](const Gene& gene) { return !matters(plan, gene); });
    return genes;
  }

  // Parameters of which the parent's variant can have another value.
  std::vector<std::size_t> choices_in(std::size_t variant) const {
    std::vector<std::size_t> found;
    const auto& parameters = parent_.plan().parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].choices.size() > 1 &&
          matters(parent_.plan(), {variant, i})) {
        found.push_back(i);
      }
    }
    return found;
  }

  void mutate(KernelPlan& plan, const Gene& gene) {
    if (rng_.chance(0.5)) {
      move_to_neighbour(plan, gene);
    } else {
      move_anywhere(plan, gene);
    }
  }

  void move_to_neighbour(KernelPlan& plan, const Gene& gene) {
    const auto choices = choices_of(plan, gene);
    const auto at = static_cast<std::size_t>(
        std::find(choices.begin(), choices.end(), value_of(plan, gene)) -
        choices.begin());
    const bool up = at == 0 || (at + 1 < choices.size() && rng_.chance(0.5));
    set_value(plan, gene, choices[up ? at + 1 : at - 1]);
  }

  void move_anywhere(KernelPlan& plan, const Gene& gene) {
    auto choices = choices_of(plan, gene);
    std::erase(choices, value_of(plan, gene));
    set_value(plan, gene, rng_.pick(choices));
  }

  // What was made before from this parent is known: later attempts go
  // further.
  std::optional<Child> step() {
    const auto genes = genes_that_matter(parent_.plan());
    if (genes.empty()) return std::nullopt;
    Child child = unchanged();
    const int count = 1 + request_.attempt / 2;
    for (int i = 0; i < count; ++i) {
      move_to_neighbour(child.plan, rng_.pick(genes));
    }
    return child;
  }

  std::optional<Child> jump() {
    auto genes = genes_that_matter(parent_.plan());
    if (genes.empty()) return std::nullopt;
    std::size_t count = 1 + static_cast<std::size_t>(request_.attempt);
    while (rng_.chance(0.5)) ++count;
    rng_.shuffle(genes);
    Child child = unchanged();
    for (std::size_t i = 0; i < std::min(count, genes.size()); ++i) {
      move_anywhere(child.plan, genes[i]);
    }
    return child;
  }

  // Other elites that can be read, in the order in which they were given.
  const std::vector<std::pair<CandidateId, KernelSource>>& mates() {
    if (!mates_) {
      mates_.emplace();
      for (const Exemplar& shown : request_.inspirations) {
        auto mate = KernelSource::parse(shown.candidate.text, options_.dialect,
                                        path_of(options_.dialect));
        if (mate) mates_->emplace_back(shown.candidate.id, *std::move(mate));
      }
    }
    return *mates_;
  }

  std::optional<Child> recombine() {
    std::vector<const std::pair<CandidateId, KernelSource>*> fitting;
    for (const auto& mate : mates()) {
      if (mate.second.code() == parent_.code()) fitting.push_back(&mate);
    }
    if (fitting.empty()) return std::nullopt;
    const auto& [id, mate] = *rng_.pick(fitting);
    Child child = unchanged();
    child.mate = id;
    auto plan = recombined(parent_.plan(), mate.plan(), rng_);
    if (plan) child.plan = *std::move(plan);
    // A gene may also mutate on the way, or two equal parents have nothing
    // new to say.
    const auto genes = genes_that_matter(child.plan);
    if (!genes.empty() && rng_.chance(0.25)) {
      move_to_neighbour(child.plan, rng_.pick(genes));
    }
    return child;
  }

  // Every variant of every mate is tried once, in random order.
  std::optional<Child> variant_crossover() {
    if (!crossings_) {
      crossings_.emplace();
      for (std::size_t m = 0; m < mates().size(); ++m) {
        const auto& variants = mates()[m].second.plan().variants;
        for (std::size_t v = 0; v < variants.size(); ++v) {
          crossings_->emplace_back(m, v);
        }
      }
      rng_.shuffle(*crossings_);
    }
    while (!crossings_->empty()) {
      const auto [m, v] = crossings_->back();
      crossings_->pop_back();
      const auto& [id, mate] = mates()[m];
      auto crossed = cross_variants(parent_, mate, v);
      if (!crossed) continue;
      const std::string& name = mate.plan().variants[v].name;
      Child child;
      child.mate = id;
      child.plan = simplified_plan(crossed->plan, crossed->code);
      child.code = simplified_code(child.plan, crossed->code);
      child.plan = simplified_plan(child.plan, child.code);
      child.summary = fmt::format("variant {} from {}", name, id);
      if (child.code != parent_.code()) {
        child.plan.summary = joined_summary(mate.plan(), name);
      } else if (request_.attempt > 0 &&
                 child.plan.variants.size() == parent_.plan().variants.size()) {
        move_one(child);
      }
      return child;
    }
    return std::nullopt;
  }

  // A crossing that is known already goes further.
  void move_one(Child& child) {
    const auto genes = genes_that_matter(child.plan);
    if (genes.empty()) return;
    const KernelPlan before = child.plan;
    move_to_neighbour(child.plan, rng_.pick(genes));
    child.summary += "; " + describe_change(before, child.plan);
  }

  // What the merged file says of itself.
  std::string joined_summary(const KernelPlan& mate,
                             const std::string& variant) const {
    constexpr std::size_t kLongest = 400;
    std::string summary = fmt::format("{}; {}: {}", parent_.plan().summary,
                                      variant, mate.summary);
    return summary.size() <= kLongest
               ? summary
               : fmt::format("merged from two files; variant {} came last",
                             variant);
  }

  std::optional<Child> specialise() {
    const KernelPlan& plan = parent_.plan();
    if (plan.variants.size() < 2) return std::nullopt;
    std::vector<Gene> places;
    for (std::size_t v = 0; v < plan.variants.size(); ++v) {
      for (const std::size_t parameter : choices_in(v)) {
        const std::string& name = plan.parameters[parameter].name;
        if (!plan.variants[v].parameters.contains(name)) {
          places.push_back({v, parameter});
        }
      }
    }
    if (places.empty()) return std::nullopt;
    // The copy alone would be the same kernel: it moves at once.
    Child child = unchanged();
    mutate(child.plan, rng_.pick(places));
    return child;
  }

  std::optional<Child> divide() {
    if (!divisions_) {
      divisions_ = divisions_of(parent_.plan(), options_.shapes);
      std::erase_if(*divisions_, [&](const Division& each) {
        return choices_in(each.variant).empty();
      });
    }
    if (divisions_->empty()) return std::nullopt;
    const Division& division = rng_.pick(*divisions_);
    const std::size_t parameter = rng_.pick(choices_in(division.variant));
    Child child = unchanged();
    child.plan = divided(child.plan, division);
    // Alone the division would change nothing: one side moves at once.
    const std::size_t side = division.variant + (rng_.chance(0.5) ? 1 : 0);
    const KernelPlan before = child.plan;
    mutate(child.plan, {side, parameter});
    child.summary = fmt::format("{} divided at {} {}; {}",
                                parent_.plan().variants[division.variant].name,
                                division.size, division.largest,
                                describe_change(before, child.plan));
    return child;
  }

  // One way only: once what comes out is known, other operations are asked.
  std::optional<Child> simplify() {
    if (request_.attempt > 0) return std::nullopt;
    const auto simple = simplified(parent_);
    if (!simple || (simple->plan() == parent_.plan() &&
                    simple->code() == parent_.code())) {
      return std::nullopt;
    }
    return Child{simple->plan(), std::string(simple->code()),
                 "without unused parts", 0};
  }

  bool was_shown(const std::string& text) const {
    return std::any_of(
        request_.inspirations.begin(), request_.inspirations.end(),
        [&](const Exemplar& shown) { return shown.candidate.text == text; });
  }

  std::optional<Proposal> checked(Child child, const std::string& operation) {
    const bool same_code = child.code == parent_.code();
    child.plan = normalised(std::move(child.plan));
    if (same_code && operation != "simplify" && child.plan == plain_parent_) {
      return std::nullopt;
    }
    if (!constraints_hold(child.plan, options_.known)) return std::nullopt;
    const auto kernel =
        KernelSource::parse(format_kernel(child.plan, child.code),
                            options_.dialect, path_of(options_.dialect));
    if (!kernel || was_shown(kernel->text())) return std::nullopt;
    Proposal proposal;
    proposal.text = kernel->text();
    proposal.parents = {request_.parent.candidate.id};
    if (child.mate != 0) proposal.parents.push_back(child.mate);
    proposal.operation = operation;
    proposal.summary = child.summary.empty()
                           ? describe_change(plain_parent_, child.plan)
                           : std::move(child.summary);
    return proposal;
  }

  const ProposalRequest& request_;
  const ParametersOptions& options_;
  KernelSource parent_;
  KernelPlan plain_parent_;
  std::vector<Names> in_use_;  // by the parent's variants
  Rng rng_;
  std::optional<std::vector<std::pair<CandidateId, KernelSource>>> mates_;
  // (mate, variant) pairs not tried yet.
  std::optional<std::vector<std::pair<std::size_t, std::size_t>>> crossings_;
  std::optional<std::vector<Division>> divisions_;
};

}  // namespace

ParametersProposer::ParametersProposer(ParametersOptions options)
    : options_(std::move(options)) {}

std::vector<std::string> ParametersProposer::operations() {
  return {"step",       "jump",   "recombine", "variant_crossover",
          "specialise", "divide", "simplify"};
}

Result<Proposal> ParametersProposer::propose(const ProposalRequest& request) {
  auto parent =
      KernelSource::parse(request.parent.candidate.text, options_.dialect,
                          path_of(options_.dialect));
  if (!parent) return absent(parent.error().message);
  return Answer(request, options_, *std::move(parent)).find();
}

}  // namespace evoke
