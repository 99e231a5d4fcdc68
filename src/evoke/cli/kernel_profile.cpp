#include "evoke/cli/kernel_profile.h"

#include <algorithm>
#include <utility>

#include "evoke/cli/machine.h"
#include "evoke/evaluation/protocol/plan_json.h"

namespace evoke::cli {
namespace {

Json time_json(const ShapeMeasurement& time) {
  // Both sides are the kernel.
  std::vector<double> samples;
  for (const TimedPair& pair : time.pairs) {
    samples.push_back(pair.baseline_us);
    samples.push_back(pair.candidate_us);
  }
  Json json = {{"us", time.candidate_us},
               {"samples_us", samples},
               {"calls_per_block", time.calls_per_block},
               {"discarded_pairs", time.discarded_pairs},
               {"cache_state", "cold"}};
  if (time.roof_us > 0) {
    json["roof_us"] = time.roof_us;
    json["of_roof"] = time.roof_us / time.candidate_us;
  }
  return json;
}

Json shape_json(const ShapeProfile& shape) {
  const Json plan = protocol::to_json(shape.plan);
  Json json = {
      {"shape", protocol::to_json(shape.shape)},
      {"variant", shape.variant},
      {"launches", plan["launches"]},
      {"scratch_bytes", shape.plan.scratch_bytes()},
      {"report", shape.report},
      {"work", {{"bytes", shape.work.bytes}, {"flops", shape.work.flops}}}};
  if (shape.time) json["time"] = time_json(*shape.time);
  if (!shape.launches.empty()) {
    json["profile"] = judge::to_json(shape.launches);
  }
  return json;
}

}  // namespace

Json to_json(const KernelProfile& profile) {
  Json json = {{"kernel", profile.kernel},
               {"device", profile.device},
               {"device_name", profile.device_name},
               {"machine", describe_machine()},
               {"time", utc_time()},
               {"shapes", Json::array()},
               {"left_out", profile.left_out}};
  for (const ShapeProfile& shape : profile.shapes) {
    json["shapes"].push_back(shape_json(shape));
  }
  if (profile.roofline.read_bytes_per_s > 0) {
    json["roofline"] = {{"read_bytes_per_s", profile.roofline.read_bytes_per_s},
                        {"flops_per_s", profile.roofline.flops_per_s}};
  }
  for (const auto& [name, text] : {std::pair{"wrong", profile.wrong},
                                   {"not_timed", profile.not_timed},
                                   {"not_profiled", profile.not_profiled}}) {
    if (!text.empty()) json[name] = text;
  }
  return json;
}

}  // namespace evoke::cli
