// Iterations per second when neither model nor judge takes any time: what the
// engine itself costs with language models as proposers.
//
//   llm_throughput [--iterations N] [--url URL] [--folder FOLDER]
//
// Prompts are made, answers read, checked and applied, calls and steps are
// recorded on disk, as in a run. Without --url the answers are made in this
// process; with it they come over HTTP from a chat service, which must answer
// as tests/proposers/transcript/serve_answers.py --count does.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "evoke/attention/problem.h"
#include "evoke/base/clock.h"
#include "evoke/evolution/search_loop.h"
#include "evoke/proposers/llm/llm_proposer.h"
#include "evoke/proposers/llm/service_client.h"
#include "evoke/proposers/proposer_pool.h"
#include "evoke/store/run_store.h"

namespace evoke {
namespace {

constexpr int kCalls = 8;

// A change that is new each time and hardly lets the file grow.
std::string answer(int64_t n) {
  return fmt::format(
      "IDEA: idea number {0}\nSTRATEGY: tile-shape\nRISK: none\n\n"
      "<<<<<<< SEARCH\n// EVOLVE-BLOCK-START\n=======\n"
      "// EVOLVE-BLOCK-START\nconstexpr int kIdea{0} = {0};\n"
      ">>>>>>> REPLACE\n",
      n);
}

class InstantClient : public llm::ChatClient {
 public:
  llm::ChatResult<llm::ChatReply> chat(const llm::ChatRequest& request,
                                       const llm::Stop&) override {
    llm::ChatReply reply;
    reply.text = answer(++answers_);
    reply.model = request.model;
    reply.finish_reason = "stop";
    reply.cost_usd = 0;
    return reply;
  }
  void hide_secrets(std::string&) const override {}

 private:
  std::atomic<int64_t> answers_{0};
};

// Slowly better, so that parents change.
class InstantEvaluator : public Evaluator {
 public:
  void submit(EvaluationRequest request) override {
    waiting_.push_back(std::move(request));
  }
  std::optional<Outcome> wait(int64_t timeout_ms) override {
    if (waiting_.empty()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                        [this] { return woken_; });
      woken_ = false;
      return std::nullopt;
    }
    const EvaluationRequest request = std::move(waiting_.front());
    waiting_.pop_front();
    Rng rng(static_cast<uint64_t>(request.candidate.id));
    Outcome outcome;
    outcome.candidate = request.candidate.id;
    outcome.kind = request.purpose == EvaluationPurpose::confirm
                       ? OutcomeKind::confirmed
                       : OutcomeKind::measured;
    outcome.stage = Stage::time;
    const double value = 1 + 0.05 * rng.uniform();
    outcome.fitness = Fitness{value, value * 0.999, value * 1.001};
    Measurements measurements;
    measurements.features = {
        {"balance", 4 * rng.uniform() - 2},
        {"threadgroup_bytes", std::exp(6 + 6 * rng.uniform())}};
    outcome.measurements = std::move(measurements);
    return outcome;
  }
  void wake() override {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_all();
  }
  int in_flight() const override { return static_cast<int>(waiting_.size()); }
  void cancel() override { waiting_.clear(); }

 private:
  std::deque<EvaluationRequest> waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) +
           1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int run(int argc, char** argv) {
  CLI::App app("Iterations per second with an instant model and judge.");
  int64_t iterations = 5000;
  std::string url;
  std::string kernel = "kernels/attention/cpu/three_pass.cpp";
  std::string folder = std::filesystem::temp_directory_path().string();
  app.add_option("--iterations", iterations);
  app.add_option("--url", url);
  app.add_option("--kernel", kernel);
  app.add_option("--folder", folder);
  CLI11_PARSE(app, argc, argv);
  folder += "/evoke_llm_throughput_XXXXXX";
  if (!mkdtemp(folder.data())) throw StartupError(folder + ": no folder");

  std::shared_ptr<llm::ChatClient> client = std::make_shared<InstantClient>();
  if (!url.empty()) {
    llm::ServiceOptions service;
    service.base_url = url;
    client = std::make_shared<llm::ServiceClient>(service);
  }
  const auto problem = make_attention_problem();
  ProposerPool* pool_address = nullptr;
  llm::LlmProposerOptions options;
  options.models = {{"instant", 1.0, {}, client}};
  options.facts.signature = problem->signature();
  options.max_concurrency = kCalls;
  std::unique_ptr<llm::LlmProposer> proposer;
  ProposerPool pool;
  pool_address = &pool;
  options.observer = pool.observer();
  options.stop = [pool_address] { return pool_address->stopping(); };
  proposer = std::make_unique<llm::LlmProposer>(options);
  pool.add(*proposer, kCalls);

  EvolutionConfig config;
  config.workers = 2;
  config.budget = {.iterations = iterations, .time_s = 0};
  config.proposers = {{.name = "llm",
                       .operations = {"improve", "explore", "simplify"},
                       .models = {{"instant", 1}},
                       .in_flight = kCalls}};
  config.confirmation.first_cost_s = 1e12;
  auto source = KernelSource::read(kernel);
  if (!source) throw StartupError(source.error().message);
  Evolution evolution(config, {{source->text(), "seed"}});
  auto store = RunStore::create(folder + "/run", {});
  if (!store) throw StartupError(store.error().message);

  fmt::print("{:>10} {:>8} {:>14} {:>16}\n", "iterations", "it/s",
             "CPU ms each", "occupied cells");
  double last_ms = monotonic_ms();
  double last_cpu_s = cpu_s();
  int64_t last = 0;
  const int64_t window = std::max<int64_t>(iterations / 10, 1);
  InstantEvaluator evaluator;
  SearchLoopOptions loop;
  loop.progress = [&](const Evolution& search, const Step*) {
    const int64_t judged = search.state().judged();
    if (judged < last + window) return;
    const auto count = static_cast<double>(judged - last);
    const double now_ms = monotonic_ms();
    fmt::print("{:>10} {:>8.0f} {:>14.3f} {:>16}\n", judged,
               count / (now_ms - last_ms) * 1e3,
               (cpu_s() - last_cpu_s) / count * 1e3,
               search.status().occupied_cells);
    last = judged;
    last_ms = now_ms;
    last_cpu_s = cpu_s();
  };
  const double start_ms = monotonic_ms();
  run_search(evolution, pool, evaluator, **store, loop);
  fmt::print("{} iterations in {:.2f} s: {:.0f} per second\n",
             evolution.state().judged(), (monotonic_ms() - start_ms) * 1e-3,
             static_cast<double>(evolution.state().judged()) /
                 (monotonic_ms() - start_ms) * 1e3);
  store->reset();
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) try {
  return evoke::run(argc, argv);
} catch (const std::exception& error) {
  fmt::print(stderr, "llm_throughput: {}\n", error.what());
  return 1;
}
