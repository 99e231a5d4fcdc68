// What the baselines that are built here take, and what the gate says of
// them; prints tables in Markdown. Each has a process of its own, because idle
// threads of one library would spin beside the others' calls, and is raced
// against itself: how far apart equals come out on this machine now. Which of
// two is faster is `evoke bench`'s to say.
//
//   baseline_times                     the quick shapes and longer prefills
//   baseline_times --shapes decode-4096 --baselines onednn,openvino
//   baseline_times --only-gate         what the gate says of each
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>

#include "bench/baselines/contest.h"
#include "evoke/attention/problem.h"
#include "evoke/attention/shape.h"
#include "evoke/base/clock.h"

namespace {

using evoke::attention::AttentionShape;
using evoke::bench::Contestant;
using evoke::bench::Memory;

struct Options {
  std::vector<std::string> baselines = evoke::known_baselines();
  std::vector<std::string> shapes = {"decode-256",  "decode-1024",
                                     "decode-4096", "prefill-64",
                                     "prefill-128", "prefill-512"};
  int threads = 0;
  double seconds = 8;
  int64_t cold_mib = 256;
  bool only_gate = false;
  bool no_gate = false;
};

// "decode-4096", "prefill-512".
evoke::Shape shape_of(const std::string& name) {
  AttentionShape shape;
  const std::size_t dash = name.find('-');
  const int64_t length =
      dash == std::string::npos ? 0 : std::atoll(name.c_str() + dash + 1);
  shape.Lk = length;
  if (name.starts_with("prefill-")) {
    shape.Lq = length;
    shape.causal = true;
  } else if (!name.starts_with("decode-")) {
    shape.Lk = 0;
  }
  const evoke::Result<void> fits = evoke::attention::check(shape);
  if (!fits) {
    throw std::runtime_error(
        fmt::format("no shape '{}'; write decode-4096 or prefill-512", name));
  }
  return to_shape(shape);
}

std::string load() {
  double average[3] = {};
  getloadavg(average, 3);
  return fmt::format("{:.2f}", average[0]);
}

struct Opened {
  std::string name;
  std::unique_ptr<evoke::Baseline> baseline;
};

evoke::CallId prepare(evoke::Baseline& baseline, const evoke::Shape& shape,
                      Memory& memory) {
  const auto call = baseline.prepare(shape, memory.tensors());
  if (!call) throw std::runtime_error(call.error().message);
  return *call;
}

// Relative L2 error of the worst row, against attention in double.
double worst_row_error(const AttentionShape& s, Memory& memory) {
  const std::vector<evoke::BoundTensor> tensors = memory.tensors();
  const auto row = [&](std::size_t tensor, int64_t b, int64_t h, int64_t i) {
    const auto& strides = tensors[tensor].layout.strides;
    return reinterpret_cast<const uint16_t*>(tensors[tensor].data) +
           b * strides[0] + h * strides[1] + i * strides[2];
  };
  const auto value = [](uint16_t bits) {
    return static_cast<double>(
        std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
  };
  double worst = 0;
  for (int64_t h = 0; h < s.Hq; ++h) {
    for (int64_t i = 0; i < s.Lq; i += s.Lq > 64 ? 37 : 1) {
      const int64_t seen = s.visible_keys(i);
      std::vector<double> weight(static_cast<std::size_t>(seen));
      std::vector<double> truth(static_cast<std::size_t>(s.D));
      double largest = -1e300;
      for (int64_t j = 0; j < seen; ++j) {
        double dot = 0;
        for (int64_t d = 0; d < s.D; ++d) {
          dot +=
              value(row(0, 0, h, i)[d]) * value(row(1, 0, h / s.group(), j)[d]);
        }
        weight[static_cast<std::size_t>(j)] = dot * s.scale();
        largest = std::max(largest, dot * s.scale());
      }
      double sum = 0;
      for (double& w : weight) sum += w = std::exp(w - largest);
      double difference = 0;
      double norm = 0;
      for (int64_t d = 0; d < s.D; ++d) {
        double exact = 0;
        for (int64_t j = 0; j < seen; ++j) {
          exact += weight[static_cast<std::size_t>(j)] / sum *
                   value(row(2, 0, h / s.group(), j)[d]);
        }
        const double got = value(row(3, 0, h, i)[d]);
        difference += (got - exact) * (got - exact);
        norm += exact * exact;
      }
      const double error = std::sqrt(difference / norm);
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

// One row per baseline: the gate's ratios (above 1 is rejected) and the
// worst row's error, for N(0, 1) inputs and for logits shifted by +150.
void print_gate(const evoke::Problem& problem, const evoke::Shape& shape,
                std::vector<Opened>& baselines) {
  constexpr uint64_t kSeed = 20240601;
  fmt::print("\ngate, {} (layout: cache)\n\n", shape.name);
  fmt::print(
      "| baseline | way | input | verdict | row | mean | element | "
      "worst row's relative error |\n|---|---|---|---|---|---|---|---|\n");
  for (const char* input : {"normal", "shift_up"}) {
    const auto prepared = problem.prepare({shape, input, "cache"}, kSeed);
    Memory memory(prepared->tensors());
    for (Opened& opened : baselines) {
      for (std::size_t i = 0; i < prepared->tensors().size(); ++i) {
        prepared->write(i, memory.allocation(i));
      }
      const evoke::CallId call = prepare(*opened.baseline, shape, memory);
      const auto ran = opened.baseline->run({&call, 1}, true);
      if (!ran) throw std::runtime_error(ran.error().message);
      const evoke::CheckReport report = prepared->check(memory.allocation(3));
      fmt::print(
          "| {} | {} | {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.1e} |\n",
          opened.name, opened.baseline->path_of(call), input,
          report.verdict == evoke::CheckVerdict::right ? "right" : "WRONG",
          report.row_ratio, report.mean_ratio, report.element_ratio,
          worst_row_error(evoke::attention::from_shape(shape), memory));
      opened.baseline->release(call);
    }
  }
  std::fflush(stdout);
}

void print_race(const evoke::Problem& problem, const evoke::Shape& shape,
                std::vector<Opened>& baselines, const Options& options) {
  constexpr uint64_t kSeed = 7;
  const auto set =
      problem.prepare_timing(shape, options.cold_mib << 20, 256, kSeed);
  std::vector<std::unique_ptr<Memory>> copies;
  for (int copy = 0; copy < set->num_copies(); ++copy) {
    copies.push_back(std::make_unique<Memory>(set->tensors()));
    for (std::size_t i = 0; i < set->tensors().size(); ++i) {
      set->write(copy, i, copies.back()->allocation(i));
    }
  }
  std::vector<Contestant> contestants;
  for (Opened& opened : baselines) {
    Contestant contestant;
    contestant.label = opened.name;
    contestant.baseline = opened.baseline.get();
    for (const auto& copy : copies) {
      contestant.calls.push_back(prepare(*opened.baseline, shape, *copy));
    }
    contestants.push_back(std::move(contestant));
  }
  // The first one twice: how far apart equals come out on this machine now.
  contestants.push_back(contestants.front());
  contestants.back().label += " (again)";

  std::map<std::string, std::string> ways;
  for (const Contestant& c : contestants) {
    ways[c.label] = c.baseline->path_of(c.calls.front());
  }
  for (const bool cold : {false, true}) {
    const std::string load_before = load();
    race(contestants, {.seconds = options.seconds, .cold = cold});
    const auto best =
        std::min_element(contestants.begin(), contestants.end(),
                         [](const Contestant& a, const Contestant& b) {
                           return evoke::bench::median_of(a.ms_per_call) <
                                  evoke::bench::median_of(b.ms_per_call);
                         });
    fmt::print(
        "\n{}, {} ({} {}; load average {} before, {} after)\n\n| baseline | "
        "way | ms per call | best block | cores busy | blocks | x the "
        "quickest [95 %] |\n|---|---|---|---|---|---|---|\n",
        shape.name, cold ? "cold" : "warm", cold ? copies.size() : 1,
        cold && copies.size() > 1 ? "copies in turn" : "copy", load_before,
        load());
    for (const Contestant& c : contestants) {
      const evoke::bench::Ratio ratio = ratio_of(c, *best);
      fmt::print(
          "| {} | {} | {:.4f} | {:.4f} | {:.2f} | {} | {:.3f} [{:.3f}, "
          "{:.3f}] |\n",
          c.label, ways[c.label], evoke::bench::median_of(c.ms_per_call),
          *std::min_element(c.ms_per_call.begin(), c.ms_per_call.end()),
          evoke::bench::median_of(c.cores_per_call), c.ms_per_call.size(),
          ratio.median, ratio.low, ratio.high);
    }
    std::fflush(stdout);
  }
  for (std::size_t i = 0; i + 1 < contestants.size(); ++i) {
    for (const evoke::CallId call : contestants[i].calls) {
      contestants[i].baseline->release(call);
    }
  }
}

void run(const Options& options) {
  fmt::print("baseline_times, {}, load average {}\n\n", evoke::utc_now(),
             load());
  std::vector<Opened> baselines;
  for (const std::string& name : options.baselines) {
    auto opened = evoke::open_baseline(name, options.threads);
    if (!opened) {
      fmt::print("- {}: {}\n", name, opened.error().message);
      continue;
    }
    fmt::print("- {}: {}\n", name, (*opened)->version());
    baselines.push_back({name, std::move(*opened)});
  }
  if (baselines.empty()) return;
  const std::unique_ptr<evoke::Problem> problem =
      evoke::make_attention_problem();
  for (const std::string& name : options.shapes) {
    const evoke::Shape shape = shape_of(name);
    if (!options.no_gate) print_gate(*problem, shape, baselines);
    if (!options.only_gate) print_race(*problem, shape, baselines, options);
  }
  std::fflush(stdout);
}

bool run_alone(const Options& options, const std::string& baseline) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child > 0) {
    int status = 0;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }
  try {
    Options one = options;
    one.baselines = {baseline};
    run(one);
    ::_exit(0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "baseline_times: %s\n", error.what());
    ::_exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Times each baseline, and puts it before the gate");
  app.add_option("--baselines", options.baselines, "which ones")
      ->delimiter(',');
  app.add_option("--shapes", options.shapes, "decode-LENGTH or prefill-LENGTH")
      ->delimiter(',');
  app.add_option("--threads", options.threads, "0: one per usable core");
  app.add_option("--seconds", options.seconds, "of timed blocks per table");
  app.add_option("--cold-mib", options.cold_mib,
                 "MiB of inputs that cold calls go through");
  app.add_flag("--only-gate", options.only_gate, "no timing");
  app.add_flag("--no-gate", options.no_gate, "timing alone");
  CLI11_PARSE(app, argc, argv);
  bool well = true;
  for (const std::string& baseline : options.baselines) {
    well = run_alone(options, baseline) && well;
  }
  return well ? 0 : 1;
}
