#include "evoke/proposers/parameters/parameters_proposer.h"

#include <gtest/gtest.h>

#include <set>

#include "evoke/proposers/parameters/genes.h"
#include "tests/proposers/kernels.h"

namespace evoke {
namespace {

using kernels::kSplit;
using kernels::kTiled;
using kernels::parsed;

Exemplar exemplar(CandidateId id, std::string_view text) {
  Exemplar exemplar;
  exemplar.candidate.id = id;
  exemplar.candidate.text = std::string(text);
  return exemplar;
}

ProposalRequest request(uint64_t seed, std::string operation,
                        std::string_view parent = kSplit) {
  ProposalRequest request;
  request.id = 10;
  request.rng_seed = seed;
  request.operation = std::move(operation);
  request.parent = exemplar(1, parent);
  return request;
}

class ParametersProposerTest : public testing::Test {
 protected:
  KernelSource child(const ProposalRequest& request) {
    const auto proposal = proposer_.propose(request);
    EXPECT_TRUE(proposal.has_value()) << proposal.error().message;
    operation_ = proposal->operation;
    summary_ = proposal->summary;
    parents_ = proposal->parents;
    const KernelSource kernel = parsed(proposal->text);
    EXPECT_EQ(kernel.text(), proposal->text) << "normalised already";
    return kernel;
  }
  static Symbols shape(int64_t Lq, int64_t Lk) {
    return {{"D", 128}, {"Lq", Lq}, {"Lk", Lk}};
  }
  ParametersProposer proposer_{{.dialect = Dialect::cpu,
                                .known = {{{"D", 128}}},
                                .shapes = {shape(1, 1024), shape(1, 4096),
                                           shape(64, 64), shape(256, 256)}}};
  std::string operation_;
  std::string summary_;
  std::vector<CandidateId> parents_;
};

int differences(const KernelPlan& a, const KernelPlan& b) {
  int count = 0;
  for (std::size_t i = 0; i < a.parameters.size(); ++i) {
    count += a.parameters[i].value != b.parameters[i].value;
  }
  for (std::size_t v = 0; v < a.variants.size(); ++v) {
    count += a.variants[v].parameters != b.variants[v].parameters;
  }
  return count;
}

TEST_F(ParametersProposerTest, IsAPureFunctionOfTheRequest) {
  for (const std::string& operation : ParametersProposer::operations()) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      ProposalRequest asked = request(seed, operation);
      asked.inspirations = {exemplar(2, kTiled)};
      const auto once = proposer_.propose(asked);
      ParametersProposer other = proposer_;
      const auto again = other.propose(asked);
      ASSERT_TRUE(once.has_value());
      EXPECT_EQ(once->text, again->text);
      EXPECT_EQ(once->operation, again->operation);
      EXPECT_EQ(once->summary, again->summary);
      EXPECT_EQ(once->parents, again->parents);
    }
  }
}

TEST_F(ParametersProposerTest, ChildrenDifferHoldConstraintsAndKeepTheCode) {
  const KernelSource parent = parsed(kSplit);
  for (const char* operation : {"step", "jump", "specialise", "divide", ""}) {
    for (uint64_t seed = 0; seed < 100; ++seed) {
      for (int attempt = 0; attempt < 4; ++attempt) {
        ProposalRequest asked = request(seed, operation);
        asked.attempt = attempt;
        const KernelSource kernel = child(asked);
        EXPECT_FALSE(kernel.plan() == parent.plan());
        EXPECT_TRUE(
            parameters::constraints_hold(kernel.plan(), {{{"D", 128}}}));
        EXPECT_EQ(kernel.code(), parent.code());
        EXPECT_TRUE(parent.check_immutable_text(kernel).has_value());
        EXPECT_FALSE(summary_.empty());
        EXPECT_EQ(parents_, std::vector<CandidateId>{1});
      }
    }
  }
}

TEST_F(ParametersProposerTest, AStepMovesOneGeneToANeighbour) {
  std::set<std::string> summaries;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    child(request(seed, "step"));
    EXPECT_EQ(operation_, "step");
    summaries.insert(summary_);
  }
  // splits 8 would break a constraint with decode's tile_kv of 128.
  EXPECT_EQ(summaries, (std::set<std::string>{
                           "splits 4 -> 2", "tile_kv 64 -> 32",
                           "tile_kv 64 -> 128", "decode: tile_kv 128 -> 64"}));
}

TEST_F(ParametersProposerTest, JumpsReachEveryPointOfTheSpace) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const KernelPlan plan = child(request(seed, "jump")).plan();
    std::string point;
    for (const Parameter& parameter : plan.parameters) {
      for (std::size_t v = 0; v < 2; ++v) {
        point +=
            std::to_string(parameters::effective_value(plan, v, parameter)) +
            " ";
      }
    }
    seen.insert(point);
  }
  // 4 splits x 3 x 3 tiles = 36; splits 8 allows 64 at most: 5 fewer; and the
  // parent itself is none of its children.
  EXPECT_EQ(seen.size(), 36u - 5u - 1u);
}

TEST_F(ParametersProposerTest, LaterAttemptsGoFurther) {
  const KernelPlan parent = parsed(kSplit).plan();
  const auto mean_difference = [&](int attempt) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      ProposalRequest asked = request(seed, "jump");
      asked.attempt = attempt;
      sum += differences(parent, child(asked).plan());
    }
    return sum / 200;
  };
  EXPECT_GT(mean_difference(3), mean_difference(0) + 0.5);
}

TEST_F(ParametersProposerTest, RecombinesWithElitesOfTheSameCodeOnly) {
  KernelPlan other = parsed(kSplit).plan();
  other.parameters[0].value = 1;
  other.parameters[1].value = 32;
  ProposalRequest asked = request(1, "recombine");
  asked.inspirations = {exemplar(7, kTiled),
                        exemplar(8, parsed(kSplit).with_plan(other)->text())};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    asked.rng_seed = seed;
    child(asked);
    EXPECT_EQ(operation_, "recombine");
    EXPECT_EQ(parents_, (std::vector<CandidateId>{1, 8}));
  }
}

TEST_F(ParametersProposerTest, AnImpossibleOperationGivesWay) {
  std::set<std::string> instead;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    child(request(seed, "recombine"));  // nobody to recombine with
    instead.insert(operation_);
  }
  EXPECT_EQ(instead,
            (std::set<std::string>{"step", "jump", "specialise", "divide"}));
  child(request(1, "simplify"));
  EXPECT_NE(operation_, "simplify") << "nothing to remove";
  child(request(1, "unheard_of"));
}

TEST_F(ParametersProposerTest, CrossesVariantsOfDifferentFamilies) {
  ProposalRequest asked = request(1, "variant_crossover");
  asked.inspirations = {exemplar(5, kTiled)};
  const KernelSource kernel = child(asked);
  EXPECT_EQ(operation_, "variant_crossover");
  EXPECT_EQ(parents_, (std::vector<CandidateId>{1, 5}));
  EXPECT_EQ(summary_, "variant any from 5");
  EXPECT_EQ(kernel.plan().variants[1].launches[0].kernel, "attend");
  EXPECT_EQ(kernel.code().find("one_pass"), std::string_view::npos)
      << "what nobody uses any more is gone";
  EXPECT_TRUE(parsed(kSplit).check_immutable_text(kernel).has_value());
  // The child can be a parent, and mix with either of its own parents.
  ProposalRequest next = request(3, "variant_crossover", kernel.text());
  next.inspirations = {exemplar(5, kTiled), exemplar(1, kSplit)};
  child(next);
}

TEST_F(ParametersProposerTest, SpecialisesOneVariant) {
  const KernelPlan parent = parsed(kSplit).plan();
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const KernelPlan plan = child(request(seed, "specialise")).plan();
    EXPECT_EQ(plan.parameters, parent.parameters);
    EXPECT_EQ(
        plan.variants[0].parameters.size() + plan.variants[1].parameters.size(),
        2u);
  }
}

// `width` and, in "any", `splits` stand in nothing that the variants launch.
TEST_F(ParametersProposerTest, WhatAVariantDoesNotUseIsLeftAlone) {
  for (const char* operation : {"specialise", "divide"}) {
    std::set<std::string> moved;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const KernelPlan plan = child(request(seed, operation)).plan();
      for (const Variant& variant : plan.variants) {
        for (const auto& [name, value] : variant.parameters) {
          moved.insert(variant.name.substr(0, 3) + " " + name);
        }
      }
    }
    EXPECT_EQ(moved, (std::set<std::string>{"dec splits", "dec tile_kv",
                                            "any tile_kv"}))
        << operation;
  }
}

TEST_F(ParametersProposerTest, DividesAVariantBetweenTimedSizes) {
  std::set<std::string> names;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const KernelPlan plan = child(request(seed, "divide")).plan();
    EXPECT_EQ(operation_, "divide");
    ASSERT_EQ(plan.variants.size(), 3U);
    for (const Variant& variant : plan.variants) names.insert(variant.name);
    const bool of_decode = plan.variants[1].name == "decode";
    EXPECT_EQ(plan.variants[0].when.text(),
              of_decode ? "(Lq == 1 && Lk >= 256) && Lk <= 2048"
                        : "Lq == 1 && Lk >= 256");
    const Variant& lower = plan.variants[of_decode ? 0 : 1];
    const Variant& upper = plan.variants[of_decode ? 1 : 2];
    EXPECT_NE(lower.parameters, upper.parameters);
    EXPECT_EQ(lower.launches, upper.launches);
    EXPECT_NE(summary_.find(" divided at Lk "), std::string::npos) << summary_;
  }
  // Lq parts the same two shapes as Lk.
  EXPECT_EQ(names, (std::set<std::string>{"any", "any-Lk128", "decode",
                                          "decode-Lk2048"}));
}

TEST_F(ParametersProposerTest, ADividedVariantCrossesIntoAnUndividedParent) {
  const KernelSource divided = child(request(1, "divide"));
  ASSERT_EQ(divided.plan().variants.size(), 3U);
  ProposalRequest asked = request(1, "variant_crossover");
  asked.inspirations = {exemplar(5, divided.text())};
  std::set<std::size_t> sizes;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    asked.rng_seed = seed;
    const auto proposal = proposer_.propose(asked);
    ASSERT_TRUE(proposal.has_value());
    if (proposal->operation != "variant_crossover") continue;
    sizes.insert(parsed(proposal->text).plan().variants.size());
  }
  EXPECT_TRUE(sizes.contains(3U));
}

// Two that differ in one variant have no child by crossing that is not one of
// them; what is known already comes with a step.
TEST_F(ParametersProposerTest, ACrossingIsNeitherParentAgain) {
  const KernelSource mate = child(request(2, "specialise"));
  ProposalRequest asked = request(1, "variant_crossover");
  asked.inspirations = {exemplar(5, mate.text())};
  std::set<std::string> first;
  std::set<std::string> later;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    asked.rng_seed = seed;
    asked.attempt = 0;
    EXPECT_NE(child(asked).text(), mate.text());
    first.insert(operation_);
    asked.attempt = 1;
    EXPECT_NE(child(asked).text(), mate.text());
    if (operation_ != "variant_crossover") continue;
    EXPECT_NE(summary_.find("->"), std::string::npos) << summary_;
    later.insert(summary_);
  }
  EXPECT_FALSE(first.contains("variant_crossover"));
  EXPECT_GT(later.size(), 1U);
}

TEST_F(ParametersProposerTest, SimplifiesWhatHasUnusedParts) {
  KernelPlan plan = parsed(kSplit).plan();
  plan.variants.erase(plan.variants.begin());
  const std::string text = parsed(kSplit).with_plan(plan)->text();
  const KernelSource kernel = child(request(1, "simplify", text));
  EXPECT_EQ(operation_, "simplify");
  EXPECT_TRUE(kernel.plan().scratch.empty());
  ProposalRequest again = request(1, "simplify", text);
  again.attempt = 1;
  child(again);
  EXPECT_NE(operation_, "simplify") << "it makes the same once more";
}

TEST_F(ParametersProposerTest, WithoutGenesNothingCanBeMade) {
  std::string text(kTiled);
  text.replace(text.find("choices = [48, 96]"), 18, "choices = [96]");
  text.replace(text.find("choices = [16, 32]"), 18, "choices = [16]");
  const auto proposal = proposer_.propose(request(1, "step", text));
  ASSERT_FALSE(proposal.has_value());
  EXPECT_EQ(proposal.error().kind, ErrorKind::absent);
  const auto broken = proposer_.propose(request(1, "step", "no kernel file"));
  EXPECT_EQ(broken.error().kind, ErrorKind::absent);
}

}  // namespace
}  // namespace evoke
