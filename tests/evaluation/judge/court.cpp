#include "tests/evaluation/judge/court.h"

#include <stdexcept>
#include <utility>

#include "evoke/attention/problem.h"
#include "evoke/attention/shape.h"
#include "tests/evaluation/judge/kernels.h"
#include "tests/support/runner_path.h"

namespace evoke::test {

Workload small_workload(const std::vector<int64_t>& lengths) {
  Workload workload;
  workload.name = "small";
  for (const int64_t length : lengths) {
    attention::AttentionShape shape;
    shape.Hq = 4;
    shape.Hkv = 2;
    shape.Lk = length;
    shape.D = 64;
    workload.shapes.push_back({attention::to_shape(shape), 1.0});
  }
  return workload;
}

std::string honest_kernel(const std::string& summary, int number) {
  KernelOptions options;
  options.summary = summary;
  options.when = kSmall;
  // No length is negative; the compiler does not know that.
  options.keys = "Lk == -" + std::to_string(number + 1) + " ? 0 : visible";
  return make_kernel(options);
}

Court& Court::shared() {
  static Court court;
  return court;
}

Court& Court::apart() {
  judge::WorkbenchOptions options;
  options.runner_path = EVOKE_APART_RUNNER_PATH;
  static Court court(options);
  return court;
}

Court::Court(const judge::WorkbenchOptions& given)
    : problem_(make_attention_problem()) {
  judge::WorkbenchOptions options = given;
  if (options.runner_path.empty()) options.runner_path = runner_path();
  // Shadow memory is several times what a program asks for.
  if (kSanitized) options.runner_limits.memory_bytes *= 8;
  options.compile_cache.folder = folder_.file("compile");
  auto bench = judge::Workbench::open(*problem_, options);
  if (!bench) throw std::runtime_error(bench.error().message);
  bench_ = std::move(*bench);
}

judge::RaceTrack& Court::track() {
  if (!track_) {
    judge::RaceTrackOptions options;
    options.rotation_bytes = int64_t{4} << 20;
    options.max_probe_change = kAnyClock;
    track_ =
        value_of(judge::RaceTrack::open(*bench_, small_workload(), options));
  }
  return *track_;
}

judge::Opponent& Court::reference() {
  if (!reference_) {
    reference_ = value_of(track().opponent("honest", honest_kernel()));
  }
  return *reference_;
}

std::unique_ptr<judge::KernelBuild> Court::build(
    const std::string& text, const std::vector<Shape>& shapes) {
  auto build = bench_->plan(text, "kernel.cpp", shapes);
  if (!build) throw std::runtime_error(build.error().message);
  const auto refusal = value_of(bench_->compile(*build, shapes));
  if (refusal) throw std::runtime_error(refusal->message);
  return std::make_unique<judge::KernelBuild>(std::move(*build));
}

std::unique_ptr<judge::LoadedKernel> Court::load(
    const judge::KernelBuild& build) {
  return std::make_unique<judge::LoadedKernel>(
      value_of(bench_->candidate_runner()), build);
}

std::string two_variants(int number) {
  const std::string one = honest_kernel();
  const std::size_t plan_at = one.find("[[variant]]");
  const std::size_t plan_end = one.find("evoke*/");
  const std::size_t code_at = one.find("KERNEL(attend)");
  const auto replaced = [](std::string text, const std::string& from,
                           const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
  };
  const std::string plan = one.substr(plan_at, plan_end - plan_at);
  const std::string code = one.substr(code_at);
  const std::string other = honest_kernel("", number);
  return one.substr(0, plan_at) +
         replaced(replaced(plan, "any", "short"), "300", "150") +
         replaced(replaced(plan, "any", "long"), "attend", "other") +
         one.substr(plan_end, code_at - plan_end) + code +
         replaced(other.substr(other.find("KERNEL(attend)")), "attend",
                  "other");
}

}  // namespace evoke::test
