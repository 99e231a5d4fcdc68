// What the engine itself costs: choosing a parent, putting the outcome into
// its archive, and recording the step in a run on disk.
//
//   engine_cost [--folder FOLDER] [--steps N]
//
// FOLDER (default: the system's one for temporary files) decides which disk
// is measured. Proposing and judging cost nothing here and are not counted;
// texts and measurements are as large as those of real kernels. Each load
// runs in a process of its own, and is then resumed in another one.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "evoke/base/clock.h"
#include "evoke/base/rng.h"
#include "evoke/base/subprocess.h"
#include "evoke/evolution/evolution.h"
#include "evoke/store/run_store.h"

namespace evoke {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSizes[] = {1000, 5000, 20000};
constexpr int64_t kWindow = 1000;  // steps before each size
constexpr int kPairs = 8;

struct Load {
  const char* name;
  const char* what;
  std::size_t text_bytes;
  int num_shapes;
  bool every_candidate_an_elite;
};

// 13 KB is the median seed kernel; 5 KB and a grid that keeps everybody is
// what OpenEvolve's database was measured with.
constexpr Load kLoads[] = {
    {"default", "default map, 13 KB kernel files, 15 shapes x 8 pairs", 13000,
     15, false},
    {"crowded", "all are elites, 5 KB kernel files, 4 shapes x 8 pairs", 5000,
     4, true},
};

std::string text_of(const Load& load, int64_t id) {
  Rng rng(static_cast<uint64_t>(id));
  std::string text = fmt::format("// candidate {}\n", id);
  while (text.size() < load.text_bytes) {
    text += fmt::format("  value[{}] = scale * sum[{}];\n", rng.below(512),
                        rng.below(512));
  }
  return text;
}

EvolutionConfig config_of(const Load& load) {
  EvolutionConfig config;
  config.workers = 2;
  config.proposers = {
      {.name = "parameters",
       .operations = {"step", "jump", "recombine", "variant_crossover",
                      "specialise", "simplify"}}};
  config.budget = {};
  config.budget.iterations = 0;
  config.budget.time_s = 0;
  if (load.every_candidate_an_elite) {
    config.population.features = {
        {.name = "column", .low = 0, .high = 160, .bins = 160},
        {.name = "row", .low = 0, .high = 160, .bins = 160}};
  }
  return config;
}

Outcome outcome_of(const Load& load, const EvaluationRequest& request) {
  const CandidateId id = request.candidate.id;
  Rng rng(static_cast<uint64_t>(id) * 8 +
          static_cast<uint64_t>(request.purpose));
  Outcome outcome;
  outcome.candidate = id;
  outcome.stage = Stage::time;
  outcome.stage_ms = {0.1, 0.2, 70, 30, 60, 250, 0};
  outcome.details = {{"confinement", {"rlimits", "landlock", "seccomp"}}};
  // A fifth fails, as in a real run; a failure holds a compiler's words.
  if (!load.every_candidate_an_elite && request.candidate.generation > 0 &&
      rng.chance(0.2)) {
    outcome.kind = OutcomeKind::compile_failed;
    outcome.stage = Stage::compile;
    outcome.message = std::string(600, 'e');
    return outcome;
  }
  outcome.kind = request.purpose == EvaluationPurpose::confirm
                     ? OutcomeKind::confirmed
                     : OutcomeKind::measured;
  // Slowly better, with noise: cells keep changing hands up to the end.
  const double value =
      1e-4 * std::sqrt(static_cast<double>(id)) * 20 + 0.05 * rng.normal();
  Measurements measurements;
  measurements.features = {
      {"column", static_cast<double>(id % 160)},
      {"row", static_cast<double>(id / 160 % 160)},
      {"threadgroup_bytes", std::exp(6 + 6 * rng.uniform())},
      {"balance", 2 * rng.normal()},
      {"source_bytes", static_cast<double>(load.text_bytes)},
      {"launches", 2}};
  for (int i = 0; i < load.num_shapes; ++i) {
    ShapeMeasurement shape;
    shape.shape = fmt::format("{}-{}", i % 2 ? "decode" : "prefill", 64 << i);
    shape.baseline = "onednn";
    for (int pair = 0; pair < kPairs; ++pair) {
      const double base = 1000 * std::exp(0.01 * rng.normal());
      shape.pairs.push_back({base, base / std::exp(value)});
    }
    shape.calls_per_block = 3;
    shape.candidate_us = shape.pairs[0].candidate_us;
    shape.baseline_us = shape.pairs[0].baseline_us;
    shape.speedup = std::exp(value);
    shape.speedup_low = shape.speedup * 0.99;
    shape.speedup_high = shape.speedup * 1.01;
    shape.minimum_effect = 0.01;
    shape.roof_us = 100.0 / 3;
    measurements.shapes.push_back(std::move(shape));
  }
  outcome.measurements = std::move(measurements);
  outcome.fitness =
      Fitness{std::exp(value), std::exp(value - 0.01), std::exp(value + 0.01)};
  return outcome;
}

struct Cost {
  double select_us = 0;
  double insert_us = 0;
  double record_us = 0;
  double total_us() const { return select_us + insert_us + record_us; }
};

class Stopwatch {
 public:
  // Since the last call, or since the beginning.
  double lap_us() {
    const int64_t now = monotonic_ns();
    return 1e-3 * static_cast<double>(now - std::exchange(begin_, now));
  }

 private:
  int64_t begin_ = monotonic_ns();
};

double peak_rss_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return static_cast<double>(usage.ru_maxrss) / 1e6;
#else
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
#endif
}

void print_window(int64_t size, std::vector<Cost> window) {
  const auto mean = [&](auto part) {
    double sum = 0;
    for (const Cost& cost : window) sum += part(cost);
    return sum / static_cast<double>(window.size());
  };
  const double select = mean([](const Cost& c) { return c.select_us; });
  const double insert = mean([](const Cost& c) { return c.insert_us; });
  const double record = mean([](const Cost& c) { return c.record_us; });
  std::sort(window.begin(), window.end(), [](const Cost& a, const Cost& b) {
    return a.total_us() < b.total_us();
  });
  const auto quantile = [&](double share) {
    const auto last = static_cast<double>(window.size() - 1);
    return window[static_cast<std::size_t>(share * last)].total_us();
  };
  fmt::print(
      "{:>8} {:>8.1f} {:>8.1f} {:>8.1f} {:>8.1f} {:>8.1f} {:>8.1f} "
      "{:>9.1f} {:>7.0f}\n",
      size, select, insert, record, select + insert + record, quantile(0.5),
      quantile(0.99), quantile(1), peak_rss_mb());
}

std::unique_ptr<RunStore> value_of(Result<std::unique_ptr<RunStore>> store) {
  if (!store) throw StartupError(store.error().message);
  return *std::move(store);
}

void run_load(const Load& load, const std::string& folder, int64_t steps) {
  const auto store = value_of(RunStore::create(folder, {}));
  Evolution evolution(config_of(load), {{text_of(load, 1), "seed"}});
  std::vector<EvaluationRequest> in_flight;
  std::vector<Cost> window;
  fmt::print("{:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>7}\n", "steps",
             "select", "insert", "record", "mean", "median", "p99", "worst",
             "RSS MB");
  Cost cost;
  while (evolution.state().sequence() < steps) {
    Stopwatch watch;
    Action action = evolution.next();
    cost.select_us += watch.lap_us();
    if (auto* request = std::get_if<ProposalRequest>(&action)) {
      Proposal proposal;
      proposal.text = text_of(load, request->id);
      proposal.parents = {request->parent.candidate.id};
      proposal.operation = request->operation;
      proposal.summary = "tile_kv 64 -> 128";
      watch.lap_us();
      const auto step = evolution.answer(request->id, proposal, 0);
      cost.select_us += watch.lap_us();
      if (step) throw UsageError("[engine_cost] a text came twice.");
    } else if (auto* evaluation = std::get_if<EvaluationRequest>(&action)) {
      in_flight.push_back(std::move(*evaluation));
    } else {
      Outcome outcome = outcome_of(load, in_flight.front());
      in_flight.erase(in_flight.begin());
      watch.lap_us();
      const Step step = evolution.apply(std::move(outcome), 0);
      cost.insert_us += watch.lap_us();
      store->record(step);
      cost.record_us += watch.lap_us();
      window.push_back(std::exchange(cost, {}));
      if (window.size() > kWindow) window.erase(window.begin());
      const int64_t sequence = step.sequence;
      if (std::find(std::begin(kSizes), std::end(kSizes), sequence) !=
          std::end(kSizes)) {
        print_window(sequence, window);
      }
    }
  }
  std::size_t elites = 0;
  for (const Island& island : evolution.state().population().islands()) {
    elites += island.archive.size();
  }
  int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      bytes += static_cast<int64_t>(entry.file_size());
    }
  }
  fmt::print("{} elites in {} islands; {:.0f} MB on disk\n", elites,
             evolution.state().population().islands().size(),
             static_cast<double>(bytes) / 1e6);
  fmt::print("state {}\n", evolution.state().fingerprint());
}

void resume_load(const Load& load, const std::string& folder) {
  Stopwatch watch;
  const auto store = value_of(RunStore::open_for_resume(folder));
  Evolution evolution(config_of(load), {{text_of(load, 1), "seed"}});
  const auto done = store->each_step([&](Step&& step) {
    const auto replayed = evolution.replay(step);
    if (!replayed) throw StartupError(replayed.error().message);
    return true;
  });
  if (!done) throw StartupError(done.error().message);
  const double elapsed_s = 1e-6 * watch.lap_us();
  fmt::print("state {}\n", evolution.state().fingerprint());
  fmt::print("resumed {} steps in {:.2f} s; RSS {:.0f} MB{}\n",
             evolution.state().sequence(), elapsed_s, peak_rss_mb(),
             evolution.diverged_at() ? "; NOT as it was" : "");
}

void run_self(const std::string& program,
              const std::vector<std::string>& arguments) {
  SubprocessOptions options;
  options.arguments = {program};
  options.arguments.insert(options.arguments.end(), arguments.begin(),
                           arguments.end());
  auto child = Subprocess::start(options);
  if (!child) throw StartupError(child.error().message);
  const auto status = child->wait(-1);
  fmt::print("{}", child->output());
  if (!status || !status->ok()) throw StartupError("a load failed");
}

void run_all(const std::string& program, const std::string& parent,
             const std::string& steps) {
  for (const Load& load : kLoads) {
    std::string folder = parent + "/evoke_engine_cost_XXXXXX";
    if (!mkdtemp(folder.data())) throw StartupError(parent + ": no folder");
    fmt::print("\n{}: {}; microseconds per step\n", load.name, load.what);
    std::fflush(stdout);
    run_self(program, {"--load", load.name, folder + "/run", steps});
    run_self(program, {"--resume", load.name, folder + "/run"});
    fs::remove_all(folder);
  }
}

int run(const std::vector<std::string>& arguments) {
  const auto option = [&](std::size_t index) {
    return index < arguments.size() ? arguments[index] : std::string();
  };
  for (const Load& load : kLoads) {
    if (option(2) != load.name) continue;
    if (option(1) == "--load") {
      run_load(load, option(3), std::stoll(option(4)));
      return 0;
    }
    if (option(1) == "--resume") {
      resume_load(load, option(3));
      return 0;
    }
  }
  std::string folder = fs::temp_directory_path().string();
  std::string steps = "20000";
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    if (arguments[i] == "--folder" && i + 1 < arguments.size()) {
      folder = arguments[i + 1];
    } else if (arguments[i] == "--steps" && i + 1 < arguments.size()) {
      steps = arguments[i + 1];
    } else {
      throw UsageError("usage: engine_cost [--folder FOLDER] [--steps N]");
    }
  }
  run_all(arguments[0], folder, steps);
  return 0;
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) try {
  return evoke::run({argv, argv + argc});
} catch (const std::exception& error) {
  fmt::print(stderr, "engine_cost: {}\n", error.what());
  return 1;
}
