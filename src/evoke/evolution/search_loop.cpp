#include "evoke/evolution/search_loop.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace evoke {
namespace {

class SearchLoop {
 public:
  SearchLoop(Evolution& evolution, ProposalDesk& desk, Evaluator& evaluator,
             EventSink& sink, const SearchLoopOptions& options)
      : evolution_(evolution),
        desk_(desk),
        evaluator_(evaluator),
        sink_(sink),
        options_(options) {
    desk_.on_arrival([&evaluator] { evaluator.wake(); });
  }
  ~SearchLoop() { desk_.on_arrival({}); }
  SearchLoop(const SearchLoop&) = delete;
  SearchLoop& operator=(const SearchLoop&) = delete;

  bool run() {
    bool stopping = false;
    while (true) {
      if (options_.abandon && options_.abandon()) {
        record_calls();
        evaluator_.cancel();
        return false;
      }
      if (!stopping && options_.stop && options_.stop()) {
        stopping = true;
        evolution_.request_stop();
      }
      take_proposals();
      for (const CandidateId id : evolution_.take_withdrawn()) {
        desk_.withdraw(id);
      }
      Action action = evolution_.next();
      if (std::holds_alternative<StopAction>(action)) {
        take_calls();
        record_calls();
        return true;
      }
      if (auto* request = std::get_if<ProposalRequest>(&action)) {
        desk_.submit(std::move(*request));
      } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
        evaluator_.submit(std::move(*evaluation));
      } else if (auto outcome =
                     evaluator_.wait(calls_.empty() ? options_.poll_ms : 0)) {
        record(evolution_.apply(*std::move(outcome), elapsed_s()));
      } else if (!calls_.empty()) {
        record_calls();  // before anything is waited for
      } else {
        evolution_.pass_time(elapsed_s());
        report(nullptr);
      }
    }
  }

 private:
  double elapsed_s() const {
    return options_.elapsed_s ? options_.elapsed_s() : 0;
  }

  void take_proposals() {
    take_calls();
    while (const auto answer = desk_.take()) {
      take_calls();  // those of this answer come before its step
      if (const auto step = evolution_.answer(*answer, elapsed_s())) {
        record(*step);
      }
    }
    for (const std::string& name : desk_.take_exhausted()) {
      evolution_.retire(name);
    }
    while (evolution_.takes_submissions()) {
      const auto unasked = desk_.take_unasked();
      if (!unasked) break;
      desk_.settle_unasked(evolution_.submit(*unasked));
    }
  }

  void take_calls() {
    std::vector<LlmCall> calls = desk_.take_calls();
    std::move(calls.begin(), calls.end(), std::back_inserter(calls_));
  }

  void record_calls() {
    recording([&] {
      for (const LlmCall& call : calls_) sink_.record_call(call);
    });
    calls_.clear();
  }

  void record(const Step& step) {
    recording([&] { sink_.record_all(calls_, step); });
    calls_.clear();
    report(&step);
  }

  template <typename Record>
  void recording(Record record) {
    try {
      record();
    } catch (...) {
      evaluator_.cancel();
      throw;
    }
  }

  void report(const Step* step) {
    if (options_.progress) options_.progress(evolution_, step);
  }

  Evolution& evolution_;
  ProposalDesk& desk_;
  Evaluator& evaluator_;
  EventSink& sink_;
  const SearchLoopOptions& options_;
  std::vector<LlmCall> calls_;  // not recorded yet; none while it waits
};

// Asks on the calling thread.
class InstantDesk : public ProposalDesk {
 public:
  explicit InstantDesk(Proposer& proposer) : proposer_(proposer) {}
  void submit(ProposalRequest request) override {
    answers_.push_back({request.id, proposer_.propose(request), {}});
  }
  std::optional<ProposalAnswer> take() override {
    if (answers_.empty()) return std::nullopt;
    ProposalAnswer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }
  void withdraw(CandidateId) override {}
  void on_arrival(std::function<void()>) override {}

 private:
  Proposer& proposer_;
  std::deque<ProposalAnswer> answers_;
};

}  // namespace

bool run_search(Evolution& evolution, ProposalDesk& desk, Evaluator& evaluator,
                EventSink& sink, const SearchLoopOptions& options) {
  return SearchLoop(evolution, desk, evaluator, sink, options).run();
}

bool run_search(Evolution& evolution, Proposer& proposer, Evaluator& evaluator,
                EventSink& sink, const SearchLoopOptions& options) {
  InstantDesk desk(proposer);
  return run_search(evolution, desk, evaluator, sink, options);
}

}  // namespace evoke
