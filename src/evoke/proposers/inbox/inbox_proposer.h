// A person or an agent answers, through the files of inbox_files.h: tasks that
// the search asks for, and kernel files that nobody asked for.
//
// An answer stays in its file until its outcome is recorded, so that a run
// that is killed meanwhile takes it in again when it is resumed.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "evoke/evolution/interfaces/event_sink.h"
#include "evoke/proposers/inbox/inbox_files.h"
#include "evoke/proposers/proposer_pool.h"
#include "evoke/proposers/request_json.h"

namespace evoke::inbox {

struct InboxOptions {
  std::string run;  // the run directory
  Json facts = Json::object();
  PromptWriter prompt;
  AnswerReader reader;
  int64_t poll_ms = 200;  // how often files are looked for
  // An answer whose task is not asked for again for so long, as after a resume
  // that chose otherwise, is taken as a submission.
  int64_t orphan_ms = 5000;
};

class InboxProposer : public Proposer, public UnaskedSource {
 public:
  // Makes the folder; tasks that an earlier process left are removed. Throws
  // StartupError.
  explicit InboxProposer(InboxOptions options);
  ~InboxProposer() override;

  std::string name() const override { return "inbox"; }
  // Writes the task and waits for its answer. One that is refused leaves the
  // task open. Thread-safe.
  Result<Proposal> propose(const ProposalRequest& request) override;
  void withdraw(CandidateId id) override;

  // Of UnaskedSource; on the search's thread.
  std::optional<Proposal> take() override;
  void settle(const Result<CandidateId>& accepted) override;

  // To be told of each recorded step: answers get their receipts.
  void recorded(const Step& step);

 private:
  // Whether the answer to this task is there and was accepted.
  std::optional<Proposal> look_for_answer(const ProposalRequest& request,
                                          const Task& task);
  std::optional<Proposal> take_file(const std::string& name, bool orphan);
  bool is_orphan(const std::string& name);
  void refuse(const std::string& name, const std::string& why) const;

  InboxOptions options_;
  Files files_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<CandidateId> open_;  // tasks
  std::set<CandidateId> withdrawn_;
  struct Source {
    std::string name;
    bool submission = false;
  };
  std::map<CandidateId, Source> judging_;  // accepted, not recorded yet
  std::set<std::string> taken_;            // names of submissions among them
  std::map<std::string, double> orphans_;  // name, since when, ms
  std::optional<Source> offered_;          // between take() and settle()
  double next_look_ms_ = 0;
};

}  // namespace evoke::inbox
