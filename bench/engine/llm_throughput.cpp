// Iterations per second when neither model nor judge takes any time: what the
// engine itself costs with language models as proposers.
//
//   llm_throughput [--iterations N] [--http | --url URL] [--folder FOLDER]
//
// Prompts are made, answers read, checked and applied, calls and steps are
// recorded on disk, as in a run. --http: a process of its own answers as a
// chat service on 127.0.0.1; its CPU time is told apart. --url: another
// service does, whose answers must be new SEARCH/REPLACE blocks for the
// kernel each time. Else answers are made in this process.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cmath>
#include <filesystem>
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
#include "tests/evolution/instant_evaluator.h"
#include "tests/proposers/llm/local_service.h"

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

double cpu_s(const rusage& usage) {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) +
           1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return cpu_s(usage);
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

// A chat service in a process of its own, ended with this object.
class InstantService {
 public:
  // To be made before any thread is.
  InstantService() {
    int address[2];
    int end[2];
    if (::pipe(address) != 0 || ::pipe(end) != 0) fail();
    child_ = ::fork();
    if (child_ < 0) fail();
    if (child_ == 0) {
      ::close(end[1]);
      serve(address[1], end[0]);
      ::_exit(0);
    }
    ::close(address[1]);
    ::close(end[0]);
    end_ = Fd(end[1]);
    const Fd from(address[0]);
    char text[100];
    const ssize_t size = ::read(from.get(), text, sizeof text);
    if (size <= 0) fail();
    url_.assign(text, static_cast<std::size_t>(size));
  }
  ~InstantService() { stop(); }
  InstantService(const InstantService&) = delete;
  InstantService& operator=(const InstantService&) = delete;

  const std::string& url() const { return url_; }
  // Ends it; the CPU time that it took, in seconds.
  double stop() {
    if (child_ <= 0) return 0;
    end_ = Fd();
    rusage usage{};
    ::wait4(std::exchange(child_, 0), nullptr, 0, &usage);
    return cpu_s(usage);
  }

 private:
  [[noreturn]] static void fail() { throw StartupError("no service"); }
  static void serve(int to, int until) {
    const llm::test::LocalService service(
        [](const llm::test::ServiceRequest&, int number) {
          return llm::test::says(answer(number));
        },
        false);
    const std::string url = service.base_url();
    if (::write(to, url.data(), url.size()) < 0) return;
    char none = 0;
    while (::read(until, &none, 1) > 0) {
    }
  }

  pid_t child_ = 0;
  Fd end_;
  std::string url_;
};

// Slowly better, so that parents change.
Outcome judged(const EvaluationRequest& request) {
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

int run(int argc, char** argv) {
  CLI::App app("Iterations per second with an instant model and judge.");
  int64_t iterations = 5000;
  std::string url;
  bool http = false;
  std::string kernel = "kernels/attention/cpu/three_pass.cpp";
  std::string folder = std::filesystem::temp_directory_path().string();
  app.add_option("--iterations", iterations);
  auto* const other = app.add_option("--url", url);
  app.add_flag("--http", http)->excludes(other);
  app.add_option("--kernel", kernel);
  app.add_option("--folder", folder);
  CLI11_PARSE(app, argc, argv);
  folder += "/evoke_llm_throughput_XXXXXX";
  if (!mkdtemp(folder.data())) throw StartupError(folder + ": no folder");

  std::optional<InstantService> own;
  if (http) url = own.emplace().url();
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
  InstantEvaluator evaluator(judged);
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
  const double wall_s = (monotonic_ms() - start_ms) * 1e-3;
  const auto count = static_cast<double>(evolution.state().judged());
  fmt::print("{:.0f} iterations in {:.2f} s: {:.0f} per second\n", count,
             wall_s, count / wall_s);
  if (own) {
    fmt::print("CPU ms each, of the service: {:.3f}\n",
               own->stop() / count * 1e3);
  }
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
