// Makes a candidate's text from parents. Implementations: proposers/.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/candidate.h"
#include "evoke/core/outcome.h"

namespace evoke {

// A judged candidate, as proposers see it.
struct Exemplar {
  Candidate candidate;
  Outcome outcome;
};

// What was tried before, and what it gave.
struct Attempt {
  CandidateId candidate = 0;
  CandidateId parent = 0;
  std::string proposer;
  std::string operation;
  std::string strategy;
  std::string summary;
  OutcomeKind kind = OutcomeKind::measured;
  Stage stage = Stage::time;
  std::optional<double> gain;  // log ratio over the parent, where measured
  std::string message;         // of a failure; cut at kMaxMessage bytes

  static constexpr std::size_t kMaxMessage = 2000;
};

// One direction, named by whoever proposed it.
struct StrategyRecord {
  std::string tag;
  int tried = 0;
  int measured = 0;      // the others failed
  int improved = 0;      // beyond noise over the parent
  double mean_gain = 0;  // log ratio, over those measured
  double best_gain = 0;  // may be negative
  bool operator==(const StrategyRecord&) const = default;
};

struct SearchHistory {
  std::vector<Attempt> siblings;           // from this parent, newest first
  std::vector<Attempt> recent;             // from others, newest first
  std::vector<StrategyRecord> strategies;  // those that paid most first
};

struct ProposalRequest {
  int64_t id = 0;  // 1, 2, ...: becomes the candidate's id
  int island = 0;
  std::string proposer;   // whom it is for
  std::string model;      // empty: the proposer chooses
  std::string operation;  // empty: the proposer chooses
  uint64_t rng_seed = 0;  // all randomness of this proposal comes from it
  Exemplar parent;
  std::vector<Exemplar> inspirations;  // distinct from the parent and each
                                       // other; best first
  SearchHistory history;  // empty for proposers that answer at once
  int attempt = 0;        // > 0: earlier answers were duplicates
};

struct Proposal {
  std::string text;                  // a kernel file, normalised
  std::vector<CandidateId> parents;  // first the one it was made from
  std::string operation;
  std::string summary;
  std::string proposer = {};  // "llm:gpt-x"; empty: the one that was asked
  std::string strategy = {};  // a short tag of the direction taken
  // An answer came, but no kernel file can be made from it: why, in words fit
  // for a prompt. Costs an iteration; the text is empty then.
  std::string refusal = {};
};

// One request to a service that answers slowly or for money. The record holds
// the whole exchange, without secrets.
struct ServiceCall {
  CandidateId candidate = 0;  // the proposal that it was made for
  std::string model;
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  double latency_s = 0;
  double usd = 0;
  Json record = Json::object();
};
// Told of each call as soon as it is over; from any thread.
using CallObserver = std::function<void(ServiceCall)>;

class Proposer {
 public:
  virtual ~Proposer() = default;
  virtual std::string name() const = 0;
  // May block, for minutes too. One that keeps several requests in flight is
  // called from as many threads. `absent`: nothing new can be made from this
  // parent (the search tries another one). `failed`, `timed_out`: the
  // proposer or its service is at fault, which costs no iteration.
  virtual Result<Proposal> propose(const ProposalRequest& request) = 0;
  // The answer to this request is not wanted any more: propose() should
  // return soon, with whatever error. From any thread, also when there is no
  // such request.
  virtual void withdraw(CandidateId /*id*/) {}
};

struct ProposalAnswer {
  CandidateId id = 0;
  Result<Proposal> proposal = absent("not asked");
  ProposalCost cost;
};

// Where a search asks for proposals and finds the answers. Belongs to one
// thread, but for wake().
class ProposalDesk {
 public:
  virtual ~ProposalDesk() = default;
  // Proposers that answer at once do so before this returns.
  virtual void submit(ProposalRequest request) = 0;
  // The next answer, in order of arrival; empty: there is none now.
  virtual std::optional<ProposalAnswer> take() = 0;
  // A candidate that nobody asked for; empty: there is none now. The search
  // says with settle() whether it became one, and under which id.
  virtual std::optional<Proposal> take_unasked() { return std::nullopt; }
  virtual void settle_unasked(const Result<CandidateId>& /*accepted*/) {}
  // Calls that ended since the last time.
  virtual std::vector<ServiceCall> take_calls() { return {}; }
  virtual void withdraw(CandidateId id) = 0;
  // Called from any thread when something can be taken.
  virtual void on_arrival(std::function<void()> wake) = 0;
};

}  // namespace evoke
