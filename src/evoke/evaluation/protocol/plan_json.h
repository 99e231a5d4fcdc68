// JSON forms of what a runner must know of kernels and problems. Numbers
// survive the round trip exactly.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"
#include "evoke/core/tensor.h"

namespace evoke::protocol {

Json to_json(const Symbols& symbols);
Json to_json(const DeviceLimits& limits);
Json to_json(const ProblemSignature& signature);
Json to_json(const Shape& shape);
Json to_json(const TensorLayout& layout);
Json to_json(const CompileUnit& unit);
Json to_json(const LaunchPlan& plan);

// `where` names the value in errors.
Result<Symbols> symbols_from_json(const Json& json, const std::string& where);
Result<DeviceLimits> limits_from_json(const Json& json,
                                      const std::string& where);
Result<ProblemSignature> signature_from_json(const Json& json,
                                             const std::string& where);
Result<Shape> shape_from_json(const Json& json, const std::string& where);
// Layouts whose elements would leave their allocation are errors.
Result<TensorLayout> layout_from_json(const Json& json,
                                      const std::string& where);
Result<CompileUnit> unit_from_json(const Json& json, const std::string& where);
Result<LaunchPlan> plan_from_json(const Json& json, const std::string& where);

}  // namespace evoke::protocol
