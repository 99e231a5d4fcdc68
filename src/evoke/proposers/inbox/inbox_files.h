// The files by which a run and whoever answers its requests talk: in
// RUN/manual_tasks_queue/, each written beside its place and renamed into it.
//
//   12.json            a task: what is asked, by the run
//   12.answer.json     the answer to it
//   NAME.submit.json   a kernel file that nobody asked for
//   12.receipt.json    what became of an answer or a submission, by the run
//
// docs/proposers.md describes the fields; those of OpenEvolve's queue are among
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/candidate.h"
#include "evoke/core/outcome.h"
#include "evoke/evolution/interfaces/proposer.h"

namespace evoke::inbox {

struct Task {
  CandidateId id = 0;
  std::string created;  // UTC
  std::string prompt;   // the whole of it, in words
  // Tells an answer to this task from one to another task of the same number.
  std::string key;
  Json request;  // as request_json.h writes it
};
Task make_task(const ProposalRequest& request, const Json& facts,
               std::string prompt);
// What a reader of answers needs of the request.
ProposalRequest request_of(const Task& task);

struct Answer {
  std::string key;   // of its task; empty: nobody asked
  std::string text;  // as written: a kernel file, or what the reader takes
  std::string summary;
};

enum class State { refused, judging, judged };
std::string_view to_string(State state);

struct Receipt {
  State state = State::judging;
  CandidateId candidate = 0;
  std::string message;  // why it was refused, or the outcome's
  std::optional<OutcomeKind> kind;
  std::optional<Fitness> fitness;
};
Json to_json(const Receipt& receipt);

// The files of one run. Safe with other processes at work in the folder.
class Files {
 public:
  explicit Files(const std::string& run)
      : folder_(run + "/manual_tasks_queue") {}
  const std::string& folder() const { return folder_; }
  Result<void> make_folder() const;

  Result<void> write(const Task& task) const;
  // `name`: "12" for the answer to task 12.
  Result<void> write_answer(const std::string& name,
                            const Answer& answer) const;
  Result<void> write_submission(const std::string& name,
                                const Answer& answer) const;
  Result<void> write(const std::string& name, const Receipt& receipt) const;

  // `absent`: there is no such file; `failed`: it is not what it should be.
  Result<Task> task(const std::string& name) const;
  Result<Answer> answer(const std::string& name) const;
  Result<Answer> submission(const std::string& name) const;
  Result<Receipt> receipt(const std::string& name) const;

  // Names, in order.
  std::vector<std::string> tasks() const;
  std::vector<std::string> answers() const;
  std::vector<std::string> submissions() const;
  std::vector<std::string> receipts() const;

  void remove_task(const std::string& name) const;
  void remove_answer(const std::string& name) const;
  // Under the name "answer-NAME"; in one step, so that an answer written
  // meanwhile is not removed unread.
  void keep_answer_as_submission(const std::string& name) const;
  void remove_submission(const std::string& name) const;
  void remove_receipt(const std::string& name) const;

 private:
  std::string path(const std::string& name, const char* suffix) const {
    return folder_ + "/" + name + suffix;
  }
  std::vector<std::string> names(const char* suffix) const;
  Result<Json> read(const std::string& name, const char* suffix) const;
  Result<Answer> read_answer(const std::string& name, const char* suffix) const;

  std::string folder_;
};

}  // namespace evoke::inbox
