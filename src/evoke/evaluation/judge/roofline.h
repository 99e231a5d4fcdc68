// What this machine cannot do faster than, measured by read-only and
// arithmetic probes in a runner of their own.
#pragma once

#include <cstdint>
#include <string>

#include "evoke/core/measurements.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/device_lock.h"
#include "evoke/evaluation/judge/runner_pool.h"

namespace evoke::judge {

struct Roofline {
  double read_bytes_per_s = 0;  // from memory, caches too small to help
  double flops_per_s = 0;       // the quickest arithmetic there is
  // The smallest footprint that memory serves and caches do not, as the
  // bandwidth shows it. Copies that fill more than this are cold.
  int64_t cold_bytes = 0;

  // The larger of both times for cold calls; warm inputs may come from any
  // cache, so only the arithmetic bounds them. 0: unknown.
  double roof_us(const WorkEstimate& work, CacheState state) const;
};

struct RooflineOptions {
  std::string device = "cpu";
  int64_t largest_footprint_bytes = int64_t{1} << 30;
};

// Takes about a second; the caller holds the exclusive claim.
RunnerResult<Roofline> measure_roofline(RunnerPool& pool,
                                        const RooflineOptions& options);
// The better of two measurements in each respect: noise only ever slows.
Roofline better_of(const Roofline& a, const Roofline& b);

// Below this share of the roof a time cannot be true. Not 1: the probes are
// measured too, and a neighbour may have been quiet since.
inline constexpr double kImplausibleShare = 0.8;

}  // namespace evoke::judge
