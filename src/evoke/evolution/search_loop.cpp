#include "evoke/evolution/search_loop.h"

#include <deque>
#include <optional>
#include <utility>
#include <variant>

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
        record_calls();
        return true;
      }
      if (auto* request = std::get_if<ProposalRequest>(&action)) {
        desk_.submit(std::move(*request));
      } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
        evaluator_.submit(std::move(*evaluation));
      } else if (auto outcome = evaluator_.wait(options_.poll_ms)) {
        record(evolution_.apply(*std::move(outcome), elapsed_s()));
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
    record_calls();
    while (const auto answer = desk_.take()) {
      record_calls();  // those of this answer come before its step
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

  void record_calls() {
    for (const LlmCall& call : desk_.take_calls()) {
      recording([&] { sink_.record_call(call); });
    }
  }

  void record(const Step& step) {
    recording([&] { sink_.record(step); });
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
