#include "evoke/evolution/search_loop.h"

#include <utility>
#include <variant>

namespace evoke {
namespace {

class SearchLoop {
 public:
  SearchLoop(Evolution& evolution, Proposer& proposer, Evaluator& evaluator,
             EventSink& sink, const SearchLoopOptions& options)
      : evolution_(evolution),
        proposer_(proposer),
        evaluator_(evaluator),
        sink_(sink),
        options_(options) {}

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
      Action action = evolution_.next();
      if (std::holds_alternative<StopAction>(action)) return true;
      if (auto* request = std::get_if<ProposalRequest>(&action)) {
        propose(*request);
      } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
        evaluator_.submit(std::move(*evaluation));
      } else if (auto outcome = evaluator_.wait(options_.poll_ms)) {
        record(evolution_.apply(*std::move(outcome), elapsed_s()));
      } else {
        report(nullptr);
      }
    }
  }

 private:
  double elapsed_s() const {
    return options_.elapsed_s ? options_.elapsed_s() : 0;
  }

  void propose(const ProposalRequest& request) {
    const auto proposal = proposer_.propose(request);
    if (const auto step =
            evolution_.answer(request.id, proposal, elapsed_s())) {
      record(*step);
    }
  }

  void record(const Step& step) {
    try {
      sink_.record(step);
    } catch (...) {
      evaluator_.cancel();
      throw;
    }
    report(&step);
  }

  void report(const Step* step) {
    if (options_.progress) options_.progress(evolution_, step);
  }

  Evolution& evolution_;
  Proposer& proposer_;
  Evaluator& evaluator_;
  EventSink& sink_;
  const SearchLoopOptions& options_;
};

}  // namespace

bool run_search(Evolution& evolution, Proposer& proposer, Evaluator& evaluator,
                EventSink& sink, const SearchLoopOptions& options) {
  return SearchLoop(evolution, proposer, evaluator, sink, options).run();
}

}  // namespace evoke
