// The built-in proposer: changes the parameters of kernel files, and mixes
// files with each other. Needs no key and no network, and costs a
// millisecond or two per proposal.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/expression.h"
#include "evoke/core/kernel_source.h"
#include "evoke/evolution/interfaces/proposer.h"

namespace evoke {

struct ParametersOptions {
  Dialect dialect = Dialect::cpu;
  // What is known of compile-time letters and the device, one entry per kind
  // of shape: {"D": 128, "causal": 0, "num_sms": 8}. Constraints are then
  // checked before anything is proposed; empty: by the judge.
  std::vector<Symbols> known = {};
  // All that conditions may name beside parameters, one entry per shape that
  // is timed; empty: variants are not divided.
  std::vector<Symbols> shapes = {};
  int draws = 24;  // tries of one operation before another one is taken
};

class ParametersProposer : public Proposer {
 public:
  explicit ParametersProposer(ParametersOptions options);

  // step              one gene, or a few, to a neighbouring choice
  // jump              some genes to any choice
  // recombine         each gene from the parent or from another elite
  // variant_crossover one variant from another elite
  // specialise        one variant gets its own value of a parameter
  // divide            a variant becomes two, between sizes of timed shapes,
  //                   of which one gets its own value of a parameter
  // simplify          removes what provably does nothing
  static std::vector<std::string> operations();

  std::string name() const override { return "parameters"; }
  // A pure function of the request. The operation asked for is tried first;
  // one that this parent does not allow gives way to another, which the
  // proposal names.
  Result<Proposal> propose(const ProposalRequest& request) override;

 private:
  ParametersOptions options_;
};

}  // namespace evoke
