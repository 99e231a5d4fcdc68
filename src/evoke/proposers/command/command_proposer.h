// Asks any program: it reads a request as JSON (request_json.h) on standard
// input and writes a kernel file, or JSON that holds one, to standard output.
// What it says on standard error goes into the error when it fails.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/proposers/request_json.h"

namespace evoke {

struct CommandOptions {
  std::string command;  // a line for /bin/sh
  double timeout_s = 300;
  std::string folder;  // where it runs; empty: where evoke does
  // "NAME=value". Nothing else is inherited, so that no key is.
  std::vector<std::string> environment = {};
  Json facts = Json::object();
  AnswerReader reader;
  static constexpr std::int64_t kMaxAnswerBytes = 4 << 20;
};

// PATH, HOME and the like of this process, and nothing that may be a secret.
std::vector<std::string> plain_environment();

class CommandProposer : public Proposer {
 public:
  // Throws UsageError: no command, no time.
  explicit CommandProposer(CommandOptions options);

  std::string name() const override { return "command"; }
  // Thread-safe. `absent`: the program's answer is no kernel file or changes
  // nothing; `timed_out`: killed with all that it started; `failed`: it ended
  // with an error.
  Result<Proposal> propose(const ProposalRequest& request) override;
  void withdraw(CandidateId id) override;

 private:
  bool is_withdrawn(CandidateId id);
  CommandOptions options_;
  std::mutex mutex_;
  std::set<CandidateId> withdrawn_;
};

}  // namespace evoke
