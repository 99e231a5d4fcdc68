// What `evoke profile` found out about a kernel, as JSON and as text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evoke/base/json.h"
#include "evoke/cli/context.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/measurements.h"
#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/launch_profile.h"
#include "evoke/evaluation/judge/roofline.h"

namespace evoke::cli {

struct ShapeProfile {
  Shape shape;
  std::string variant;
  LaunchPlan plan;
  Json report = Json::object();  // the compiler's, of the variant's unit
  WorkEstimate work;
  // Of the kernel against itself, cold; empty: not timed.
  std::optional<ShapeMeasurement> time;
  std::vector<judge::LaunchProfile> launches;  // as the profiler saw them
};

struct KernelProfile {
  std::string kernel;  // the file's path
  std::string device;
  std::string device_name;
  std::vector<ShapeProfile> shapes;
  std::vector<std::string> left_out;  // shapes that no variant takes
  // What the roofs come from; zeros: not measured.
  judge::Roofline roofline;
  std::string wrong;         // what the gate or a timed answer showed
  std::string not_timed;     // why there are no times
  std::string not_profiled;  // why the profiler shows nothing
};

Json to_json(const KernelProfile& profile);
std::string to_text(const Context& context, const KernelProfile& profile);

}  // namespace evoke::cli
