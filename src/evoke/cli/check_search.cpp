#include "evoke/cli/check_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include "evoke/base/atomic_file.h"
#include "evoke/base/clock.h"
#include "evoke/base/rng.h"
#include "evoke/cli/commands.h"
#include "evoke/cli/interrupt.h"
#include "evoke/evaluation/judge/verify.h"
#include "evoke/proposers/parameters/parameters_proposer.h"

namespace evoke::cli {
namespace {

namespace fs = std::filesystem;

// Nothing new in so many draws: the choices of the parents are used up.
constexpr int kFruitlessDraws = 200;

class CheckSearch {
 public:
  CheckSearch(const Context& context, const Laboratory& laboratory,
              const RunConfig& config, std::string folder)
      : context_(context),
        laboratory_(laboratory),
        config_(config),
        folder_(std::move(folder)),
        rng_(config.rng_seed) {}

  int run(const std::vector<SeedKernel>& founders) {
    open_folder();
    for (const SeedKernel& seed : founders) {
      Candidate candidate;
      candidate.text = seed.source.text();
      candidate.proposer = "founder";
      candidate.summary = seed.name;
      check(std::move(candidate));
      if (interrupted()) break;
    }
    const bool founded = !right_.empty();
    if (founded) propose_while_budget_lasts();
    report(founded);
    return founded ? 0 : 1;
  }

 private:
  void open_folder() {
    std::error_code error;
    fs::create_directories(fs::path(folder_) / "right", error);
    if (error) throw StartupError(folder_ + ": " + error.message());
    if (fs::exists(fs::path(folder_) / "checked.jsonl", error)) {
      throw StartupError(folder_ +
                         ": holds checked kernels already; name another "
                         "folder with --output");
    }
    log_.open(fs::path(folder_) / "checked.jsonl");
    if (!log_) throw StartupError(folder_ + ": cannot be written");
  }

  void propose_while_budget_lasts() {
    ParametersOptions options;
    options.dialect = laboratory_.bench->dialect();
    ParametersProposer proposer(options);
    const double start_ms = monotonic_ms();
    int fruitless = 0;
    while (fruitless < kFruitlessDraws && !interrupted()) {
      if (config_.budget.iterations > 0 &&
          proposals_ >= config_.budget.iterations) {
        break;
      }
      if (config_.budget.time_s > 0 &&
          (monotonic_ms() - start_ms) * 1e-3 >= config_.budget.time_s) {
        break;
      }
      ProposalRequest request;
      request.id = next_id_;
      request.rng_seed = rng_.next();
      request.parent.candidate = rng_.pick(right_);
      request.inspirations.push_back({rng_.pick(right_), {}});
      auto proposal = proposer.propose(request);
      if (!proposal || known_.contains(proposal->text)) {
        ++fruitless;
        continue;
      }
      fruitless = 0;
      ++proposals_;
      Candidate candidate;
      candidate.text = proposal->text;
      candidate.parents = proposal->parents;
      candidate.proposer = proposer.name();
      candidate.operation = proposal->operation;
      candidate.summary = proposal->summary;
      check(std::move(candidate));
    }
  }

  void check(Candidate candidate) {
    candidate.id = next_id_++;
    known_.insert(candidate.text);
    judge::VerifyOptions options;
    options.level = GateLevel::gate;
    options.stop = [] { return interrupted(); };
    const auto checked = value_or_throw(judge::verify(
        *laboratory_.bench, candidate.text, fmt::format("#{}", candidate.id),
        laboratory_.workload, options));
    if (interrupted()) return;
    std::string message = checked.refusal ? checked.refusal->message : "";
    std::string finding;
    std::string kind =
        checked.refusal ? std::string(to_string(checked.refusal->kind)) : "";
    for (const judge::CaseResult& each : checked.cases) {
      if (!each.failure || !message.empty()) continue;
      message = each.message;
      kind = to_string(*each.failure);
      finding = each.finding;
    }
    const bool right = checked.right();
    Json entry = {{"id", candidate.id},
                  {"parents", candidate.parents},
                  {"proposer", candidate.proposer},
                  {"operation", candidate.operation},
                  {"summary", candidate.summary},
                  {"right", right},
                  {"outcome", right ? "right" : kind},
                  {"message", message},
                  {"text", candidate.text}};
    if (!finding.empty()) entry["finding"] = finding;
    if (right) {
      const std::string file =
          fmt::format("right/{:04}{}", candidate.id,
                      file_suffix(laboratory_.bench->dialect()));
      value_or_throw(
          write_file_atomically(folder_ + "/" + file, candidate.text));
      entry["file"] = file;
    }
    log_ << entry.dump() << std::endl;
    if (!log_)
      throw StartupError(folder_ + "/checked.jsonl: cannot be written");
    ++(right ? num_right_ : num_wrong_);
    if (!context_.json) {
      fmt::print("{} #{:<4} {}{}{}\n",
                 right ? green(context_, "right") : red(context_, "WRONG"),
                 candidate.id, candidate.summary, message.empty() ? "" : ": ",
                 message);
      std::fflush(stdout);
    }
    if (right) right_.push_back(std::move(candidate));
  }

  void report(bool founded) const {
    if (context_.json) {
      fmt::print("{}\n", Json({{"folder", folder_},
                               {"proposals", proposals_},
                               {"right", num_right_},
                               {"wrong", num_wrong_}})
                             .dump(2));
      return;
    }
    if (!founded) {
      fmt::print("no founder is right, so nothing was proposed\n");
      return;
    }
    fmt::print(
        "{} right, {} wrong; nothing was timed and nothing is ranked.\n"
        "Where they can be timed: evoke evolve --device {} --seeds "
        "{}/right\n",
        num_right_, num_wrong_, laboratory_.device, folder_);
  }

  const Context& context_;
  const Laboratory& laboratory_;
  const RunConfig& config_;
  std::string folder_;
  Rng rng_;
  std::ofstream log_;
  std::vector<Candidate> right_;
  std::set<std::string> known_;
  CandidateId next_id_ = 1;
  int64_t proposals_ = 0;
  int64_t num_right_ = 0;
  int64_t num_wrong_ = 0;
};

}  // namespace

int check_search(const Context& context, const Laboratory& laboratory,
                 const RunConfig& config,
                 const std::vector<SeedKernel>& founders,
                 const std::string& folder) {
  return CheckSearch(context, laboratory, config, folder).run(founders);
}

}  // namespace evoke::cli
