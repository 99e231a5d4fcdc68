#include "evoke/proposers/inbox/inbox_proposer.h"

#include <chrono>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/log.h"

namespace evoke::inbox {

InboxProposer::InboxProposer(InboxOptions options)
    : options_(std::move(options)), files_(options_.run) {
  const auto made = files_.make_folder();
  if (!made) throw StartupError(made.error().message);
  for (const std::string& name : files_.tasks()) files_.remove_task(name);
}

InboxProposer::~InboxProposer() {
  for (const std::string& name : files_.tasks()) files_.remove_task(name);
}

void InboxProposer::refuse(const std::string& name,
                           const std::string& why) const {
  Receipt receipt;
  receipt.state = State::refused;
  receipt.message = why;
  const auto written = files_.write(name, receipt);
  if (!written) log_warn(written.error().message);
}

std::optional<Proposal> InboxProposer::look_for_answer(
    const ProposalRequest& request, const Task& task) {
  const std::string name = std::to_string(request.id);
  const auto answer = files_.answer(name);
  if (!answer && answer.error().kind == ErrorKind::absent) return std::nullopt;
  // Nobody loses an answer to an earlier task of this number.
  if (answer && !answer->key.empty() && answer->key != task.key) {
    files_.keep_answer_as_submission(name);
    return std::nullopt;
  }
  auto proposal = answer ? options_.reader(answer->text, request)
                         : Result<Proposal>(error_of(answer));
  if (!proposal) {
    // In this order: who reads the receipt may write the next answer at once.
    files_.remove_answer(name);
    refuse(name, proposal.error().message);
    return std::nullopt;
  }
  if (!answer->summary.empty()) proposal->summary = answer->summary;
  proposal->proposer = "inbox";
  Receipt receipt;
  receipt.candidate = request.id;
  const auto written = files_.write(name, receipt);
  if (!written) log_warn(written.error().message);
  return *std::move(proposal);
}

Result<Proposal> InboxProposer::propose(const ProposalRequest& request) {
  const std::string name = std::to_string(request.id);
  if (request.attempt > 0) {
    // The search has seen that genome; whoever wrote it should know.
    files_.remove_answer(name);
    refuse(name, "the same genome as a candidate that was judged before");
  }
  const Task task =
      make_task(request, options_.facts, options_.prompt(request));
  std::unique_lock lock(mutex_);
  open_.insert(request.id);
  const auto written = files_.write(task);
  if (!written) {
    open_.erase(request.id);
    return error_of(written);
  }
  std::optional<Proposal> proposal;
  while (!withdrawn_.contains(request.id)) {
    lock.unlock();
    proposal = look_for_answer(request, task);
    lock.lock();
    if (proposal) break;
    changed_.wait_for(lock, std::chrono::milliseconds(options_.poll_ms),
                      [&] { return withdrawn_.contains(request.id); });
  }
  open_.erase(request.id);
  withdrawn_.erase(request.id);
  files_.remove_task(name);
  if (!proposal) return failed("task " + name + " was withdrawn");
  judging_[request.id] = {name, false};
  return *std::move(proposal);
}

void InboxProposer::withdraw(CandidateId id) {
  {
    const std::lock_guard lock(mutex_);
    withdrawn_.insert(id);  // propose() may be about to begin
  }
  changed_.notify_all();
}

bool InboxProposer::is_orphan(const std::string& name) {
  const auto since = orphans_.try_emplace(name, monotonic_ms()).first->second;
  return monotonic_ms() - since >= static_cast<double>(options_.orphan_ms);
}

std::optional<Proposal> InboxProposer::take_file(const std::string& name,
                                                 bool orphan) {
  const auto answer = orphan ? files_.answer(name) : files_.submission(name);
  auto proposal = answer ? options_.reader(answer->text, {})
                         : Result<Proposal>(error_of(answer));
  if (!proposal) {
    orphan ? files_.remove_answer(name) : files_.remove_submission(name);
    refuse(name, proposal.error().message);
    return std::nullopt;
  }
  if (!answer->summary.empty()) proposal->summary = answer->summary;
  proposal->proposer = "inbox";
  proposal->operation = "submit";
  offered_ = Source{name, !orphan};
  return *std::move(proposal);
}

std::optional<Proposal> InboxProposer::take() {
  if (monotonic_ms() < next_look_ms_) return std::nullopt;
  for (const std::string& name : files_.submissions()) {
    if (taken_.contains(name)) continue;
    if (auto proposal = take_file(name, false)) return proposal;
  }
  for (const std::string& name : files_.answers()) {
    bool expected = false;
    {
      const std::lock_guard lock(mutex_);
      for (const CandidateId id : open_) {
        expected = expected || std::to_string(id) == name;
      }
      for (const auto& [id, source] : judging_) {
        expected = expected || (source.name == name && !source.submission);
      }
    }
    if (expected) {
      orphans_.erase(name);
    } else if (is_orphan(name)) {
      if (auto proposal = take_file(name, true)) return proposal;
    }
  }
  next_look_ms_ = monotonic_ms() + static_cast<double>(options_.poll_ms);
  return std::nullopt;
}

void InboxProposer::settle(const Result<CandidateId>& accepted) {
  if (!offered_) return;
  const Source source = *std::exchange(offered_, std::nullopt);
  if (!accepted && accepted.error().kind == ErrorKind::absent) return;
  if (!accepted) {
    source.submission ? files_.remove_submission(source.name)
                      : files_.remove_answer(source.name);
    refuse(source.name, accepted.error().message);
    return;
  }
  Receipt receipt;
  receipt.candidate = *accepted;
  const auto written = files_.write(source.name, receipt);
  if (!written) log_warn(written.error().message);
  const std::lock_guard lock(mutex_);
  judging_[*accepted] = source;
  if (source.submission) taken_.insert(source.name);
}

void InboxProposer::recorded(const Step& step) {
  if (step.purpose != EvaluationPurpose::score) return;
  for (const Effect& effect : step.effects) {
    if (effect.kind == "retried") return;
  }
  Source source;
  {
    const std::lock_guard lock(mutex_);
    const auto found = judging_.find(step.candidate.id);
    if (found == judging_.end()) return;
    source = found->second;
    judging_.erase(found);
    taken_.erase(source.name);
  }
  Receipt receipt;
  receipt.state = State::judged;
  receipt.candidate = step.candidate.id;
  receipt.message = step.outcome.message;
  receipt.kind = step.outcome.kind;
  receipt.fitness = step.outcome.fitness;
  const auto written = files_.write(source.name, receipt);
  if (!written) log_warn(written.error().message);
  source.submission ? files_.remove_submission(source.name)
                    : files_.remove_answer(source.name);
}

}  // namespace evoke::inbox
