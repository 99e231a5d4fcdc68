// A judge with everything real, for tests: opening one takes a second, so all
// tests of a program share it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/loaded_kernel.h"
#include "evoke/evaluation/judge/opponent.h"
#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/workbench.h"
#include "tests/support/temporary_folder.h"

namespace evoke::test {

// Decode steps over `lengths` keys each, 4 heads on 2, 64 wide: small.
Workload small_workload(const std::vector<int64_t>& lengths = {256});

// The shapes that test kernels take, so that their gate lists stay short.
inline constexpr const char* kSmall = "Lq == 1 && Lk <= 300";

// Every pair counts, however restless the machine that runs the tests.
inline constexpr double kAnyClock = 1e9;

class Court {
 public:
  // Closed when the program ends.
  static Court& shared();
  // The same on a device with memory and a clock of its own (apart_runner.cpp).
  static Court& apart();
  explicit Court(const judge::WorkbenchOptions& options = {});

  const Problem& problem() const { return *problem_; }
  judge::Workbench& bench() { return *bench_; }
  // A track over small_workload(), and an honest kernel to race against, made
  // when they are first asked for.
  judge::RaceTrack& track();
  judge::Opponent& reference();

  // Plans and compiles; throws when that does not work.
  std::unique_ptr<judge::KernelBuild> build(
      const std::string& text,
      const std::vector<Shape>& shapes = {small_workload().shapes[0].shape});
  // The build in a fresh runner.
  std::unique_ptr<judge::LoadedKernel> load(const judge::KernelBuild& build);

 private:
  TemporaryFolder folder_;  // of its compile cache
  std::unique_ptr<Problem> problem_;
  std::unique_ptr<judge::Workbench> bench_;
  std::unique_ptr<judge::RaceTrack> track_;
  std::unique_ptr<judge::Opponent> reference_;
};

// How a crash reads. The sanitizers' run-time libraries catch signals, report
// and exit.
#if defined(EVOKE_ASAN) || defined(EVOKE_TSAN)
inline constexpr bool kSanitized = true;
inline constexpr const char* kCrashed = "ended";
#else
inline constexpr bool kSanitized = false;
inline constexpr const char* kCrashed = "SIGSEGV";
#endif

// An honest kernel for small shapes. `summary` makes another text of it,
// `number` other machine code too.
std::string honest_kernel(const std::string& summary = "honest",
                          int number = 0);

// One variant for up to 150 keys, whose code is honest_kernel()'s, and one for
// up to 300 with code of its own.
std::string two_variants(int number);

// The value of something that may not fail here.
template <typename T>
T value_of(judge::RunnerResult<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace evoke::test
