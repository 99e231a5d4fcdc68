// One kernel body on small tensors: compiled by the gate, run in the
// executor, watched.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "evoke/devices/device.h"
#include "evoke/devices/metal/host/finding.h"
#include "evoke/devices/metal/host/lints.h"

namespace evoke::testing {

// The kernel `probe` reads `x` (float32), `y` and `z` (bfloat16), `n` (int32)
// and `h` (float16), of `size` elements each, and writes `output` (float32).
struct Trial {
  std::string body;
  std::string helpers;
  std::array<int, 3> threadgroups{1, 1, 1};
  std::array<int, 3> threads{32, 1, 1};
  int size = 64;
  // More launches after the first: their bodies; scratch `s` (float32) is
  // there for them, as large as the others.
  std::string second_body;
  bool zero_scratch = false;
  bool scratch = false;
  metal::host::MetalVersion version = metal::host::MetalVersion::v3_1;
  int64_t watched_accesses = 1'000'000'000;
  bool watch = true;
};

struct TrialResult {
  CompileReply compiled;
  std::vector<metal::host::Finding> findings;  // errors first
  std::vector<float> output;
  int64_t watched = 0;

  // The first finding's, or "clean", or "does not compile: ...".
  std::string verdict() const;
};

TrialResult run_trial(const Trial& trial);
// The same for bodies that compile, of one version and without helpers: all
// compiled as one file, which costs little more than a single one.
std::vector<TrialResult> run_trials(const std::vector<Trial>& trials);
// The line of that file on which each body begins.
std::vector<int> trial_body_lines(const std::vector<Trial>& trials);
// The gate alone.
CompileReply compile_trial(const Trial& trial);
// x[i] and y[i] of every trial; n[i] is i.
float trial_input(int i);

}  // namespace evoke::testing
