#include "evoke/evaluation/judge/roofline.h"

#include <algorithm>

namespace evoke::judge {
namespace {

constexpr int64_t kSmallestFootprint = int64_t{32} << 20;
constexpr int64_t kTimeoutMs = 60'000;
// Cold is where the bandwidth is this close to that of the largest footprint.
constexpr double kColdMargin = 1.15;

}  // namespace

double Roofline::roof_us(const WorkEstimate& work, CacheState state) const {
  double seconds = 0;
  if (flops_per_s > 0) seconds = work.flops / flops_per_s;
  if (state == CacheState::cold && read_bytes_per_s > 0) {
    seconds = std::max(seconds, work.bytes / read_bytes_per_s);
  }
  return seconds * 1e6;
}

RunnerResult<Roofline> measure_roofline(RunnerPool& pool,
                                        const RooflineOptions& options) {
  RunnerSpec spec;
  spec.role = protocol::Role::measure;
  spec.device = options.device;
  auto runner = pool.take(spec, Starting::at_once);
  if (!runner) return fault_of(runner);
  Roofline roofline;
  roofline.cold_bytes =
      std::max(options.largest_footprint_bytes, kSmallestFootprint);
  // From the largest down, while the bandwidth stays that of memory.
  for (int64_t bytes = roofline.cold_bytes; bytes >= kSmallestFootprint;
       bytes /= 2) {
    const protocol::Measure request{bytes, roofline.flops_per_s == 0};
    auto rates = (*runner)->call(request, kTimeoutMs);
    if (!rates) return fault_of(rates);
    if (request.flops) {
      roofline.flops_per_s = std::max(rates->bf16_flops, rates->fp32_flops);
      roofline.read_bytes_per_s = rates->read_bytes_per_s;
    }
    if (rates->read_bytes_per_s > kColdMargin * roofline.read_bytes_per_s) {
      break;
    }
    roofline.cold_bytes = bytes;
    roofline.read_bytes_per_s =
        std::max(roofline.read_bytes_per_s, rates->read_bytes_per_s);
  }
  return roofline;
}

Roofline better_of(const Roofline& a, const Roofline& b) {
  return {std::max(a.read_bytes_per_s, b.read_bytes_per_s),
          std::max(a.flops_per_s, b.flops_per_s),
          std::max(a.cold_bytes, b.cold_bytes)};
}

}  // namespace evoke::judge
