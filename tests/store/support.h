// Steps for tests, different in every field.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "evoke/evolution/interfaces/event_sink.h"
#include "evoke/store/run_store.h"
#include "evoke/store/step_json.h"

namespace evoke::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "evoke_store_XXXXXX")
            .string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline Step make_step(int64_t sequence) {
  Step step;
  step.sequence = sequence;
  step.elapsed_s = 0.1 * static_cast<double>(sequence);
  step.candidate.id = sequence;
  step.candidate.text = "text of " + std::to_string(sequence);
  step.candidate.genome_hash = "hash" + std::to_string(sequence);
  step.candidate.parents = {sequence / 2};
  step.candidate.inspirations = {1, 2};
  step.candidate.island = static_cast<int>(sequence % 4);
  step.candidate.generation = static_cast<int>(sequence / 3);
  step.candidate.proposer = "parameters";
  step.candidate.operation = "step";
  step.candidate.summary = "tile 64 -> 128 \"quoted\" </script>";
  if (sequence % 4 == 0) {
    step.candidate.strategies = {"split-kv", "wider \"loads\""};
    step.candidate.cost = {1.0 / 3.0, sequence % 8 == 0
                                          ? std::optional<double>()
                                          : std::optional(0.1 + 0.2)};
  }
  step.outcome.candidate = sequence;
  if (sequence % 3 == 0) {
    step.outcome.kind = OutcomeKind::incorrect;
    step.outcome.stage = Stage::gate;
    step.outcome.message = "row 3 is 5.1 x its limit";
  } else {
    step.outcome.kind = OutcomeKind::measured;
    step.outcome.stage = Stage::time;
    ShapeMeasurement shape;
    shape.shape = "decode-256";
    shape.baseline = "seed";
    shape.pairs = {{1.0 / 3.0, 0.1 + 0.2}, {1e-300, 5e300}};
    shape.speedup = 1.0 + 1.0 / static_cast<double>(sequence);
    shape.verdict = SpeedVerdict::faster;
    step.outcome.measurements = Measurements{{shape}, {{"code_bytes", 4096}}};
    step.outcome.fitness = Fitness{shape.speedup, 1.0, 1.5};
  }
  step.outcome.stage_ms = {0.1, 0.2, 30.5, 0, 0, 7, 0};
  step.outcome.details = {{"confinement", {"seccomp"}}};
  step.effects = {{"elite", {{"candidate", sequence}, {"island", 1}}}};
  return step;
}

// Every field of a step, so that two can be compared.
inline std::string everything(const Step& step) { return to_json(step).dump(); }

// Up to the first damaged one, whose error goes to `error`.
inline std::vector<Step> steps_of(const RunStore& store,
                                  std::string* error = nullptr) {
  std::vector<Step> steps;
  const auto done = store.each_step([&](Step&& step) {
    steps.push_back(std::move(step));
    return true;
  });
  if (!done && error) *error = done.error().message;
  if (!error) {
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }
  return steps;
}

inline void record_steps(RunStore& store, int64_t first, int64_t last) {
  for (int64_t i = first; i <= last; ++i) store.record(make_step(i));
}

}  // namespace evoke::test
