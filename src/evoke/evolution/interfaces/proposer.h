// Makes a candidate's text from parents. Implementations: proposers/.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/candidate.h"
#include "evoke/core/outcome.h"
#include "evoke/evolution/interfaces/llm_call.h"

namespace evoke {

// A judged candidate, as proposers see it.
struct Exemplar {
  Candidate candidate;
  Outcome outcome;
};

// Something that was tried earlier in the run, without its text.
struct TriedIdea {
  CandidateId candidate = 0;
  CandidateId parent = 0;
  std::string operation;
  std::vector<std::string> strategies;  // as the proposal named them
  std::string summary;
  OutcomeKind kind = OutcomeKind::measured;
  double gain = 0;  // fitness / the parent's; 0: was not measured
};

// What one strategy tag gave over the whole run.
struct StrategyRecord {
  std::string strategy;
  int tried = 0;         // proposals with an outcome that named it
  int improved = 0;      // of these, better than their parent beyond noise
  int failed = 0;        // of these, never measured
  double best_gain = 0;  // greatest fitness / the parent's; 0: none
};

// The operation that mends ProposalRequest::failed.
inline constexpr const char* kRepair = "repair";

// The lists are best first, or most telling first; a proposer that has no room
// leaves out the last ones.
struct ProposalRequest {
  int64_t id = 0;  // 1, 2, ...: becomes the candidate's id
  int island = 0;
  // Who is asked, as in Candidate::proposer: "parameters", "llm:gpt-x";
  // empty: whoever gets the request.
  std::string proposer;
  std::string operation;  // empty: the proposer chooses
  uint64_t rng_seed = 0;  // all randomness of this proposal comes from it
  Exemplar parent;
  std::vector<Exemplar> inspirations;  // distinct from the parent and each
                                       // other; best first
  int attempt = 0;                     // > 0: earlier answers were duplicates
  // For "repair": the candidate to mend. It was made from `parent`, and its
  // outcome says what is wrong.
  std::optional<Exemplar> failed = {};
  // Children of `parent` that failed, newest first: what not to do again.
  std::vector<Exemplar> failed_siblings = {};
  // Ideas of the run, newest first, those about this parent before the others.
  std::vector<TriedIdea> tried = {};
  std::vector<StrategyRecord> strategies = {};  // tried most often first
};

struct Proposal {
  std::string text;                  // a kernel file, normalised
  std::vector<CandidateId> parents;  // first the one it was made from; after
                                     // a repair the failed one comes second
  std::string operation;
  std::string summary;
  std::string proposer = {};  // "llm:gpt-x"; empty: the run's proposer
  // What kind of idea it is ("split-kv", "wider-loads"), at most three.
  std::vector<std::string> strategies = {};
  ProposalCost cost = {};
};

class Proposer {
 public:
  virtual ~Proposer() = default;
  virtual std::string name() const = 0;
  // May block, for minutes too. `absent`: nothing new can be made from this
  // parent (the search tries another one). `failed`, `timed_out`: the proposer
  // or its service is at fault, which costs no iteration.
  virtual Result<Proposal> propose(const ProposalRequest& request) = 0;
  // Calls of propose() that may run at the same time, on threads of their own.
  virtual int max_concurrency() const { return 1; }
  // The answer to this request is not wanted any more: propose() should
  // return soon, with whatever error. From any thread, also when propose() is
  // about to begin, or over; a request that was withdrawn is not made again.
  virtual void withdraw(CandidateId /*id*/) {}
};

struct ProposalAnswer {
  CandidateId id = 0;
  Result<Proposal> proposal = absent("not asked");
  ProposalCost cost = {};  // also of one that failed
};

// Where a search asks for proposals and finds the answers. Belongs to one
// thread.
class ProposalDesk {
 public:
  virtual ~ProposalDesk() = default;
  // Proposers that answer at once do so before this returns.
  virtual void submit(ProposalRequest request) = 0;
  // The next answer, in order of arrival; empty: there is none now.
  virtual std::optional<ProposalAnswer> take() = 0;
  // A candidate that nobody asked for; empty: there is none now. The search
  // says next whether it became one, and under which id.
  virtual std::optional<Proposal> take_unasked() { return std::nullopt; }
  virtual void settle_unasked(const Result<CandidateId>& /*accepted*/) {}
  // Calls of models that ended since the last time.
  virtual std::vector<LlmCall> take_calls() { return {}; }
  // Proposers that will answer no more: their money or their words are used
  // up. Each is named once.
  virtual std::vector<std::string> take_exhausted() { return {}; }
  virtual void withdraw(CandidateId id) = 0;
  // `wake` is called, from any thread, when something can be taken; empty:
  // nobody is.
  virtual void on_arrival(std::function<void()> wake) = 0;
};

}  // namespace evoke
