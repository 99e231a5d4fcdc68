// NVIDIA's Nsight Compute around a runner: what the GPU did during the
// launches of one call.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/kernel_build.h"
#include "evoke/evaluation/judge/launch_profile.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke::judge {

// Its program, `ncu`, or empty.
std::string find_profiler();
// That it is not installed and where it is looked for, in a sentence.
std::string profiler_missing();

// The launches of one call at `shape`, which `build` must be compiled for.
// The profiler runs each of them many times with cold caches, so this takes
// seconds and tells no time that could be compared with a timed one. Claims
// the device. Faults: the kernel's, the profiler's, in words.
RunnerResult<std::vector<LaunchProfile>> profile_call(
    Workbench& bench, const KernelBuild& build, const Shape& shape,
    const std::string& profiler);

// The same for the shapes of the greatest weight, three at most, for the
// record and for prompts: rows of {"shape", "launches"} or {"shape", "missing"}
// with the reason. Plans and compiles the kernel itself.
Json profile_heaviest(Workbench& bench, const std::string& text,
                      const Workload& workload, const std::string& profiler);

}  // namespace evoke::judge
