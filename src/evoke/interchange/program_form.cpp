#include "evoke/interchange/program_form.h"

#include <fmt/format.h>

#include "evoke/base/json.h"

namespace evoke {

std::string form_of(const std::vector<RecordedCall>& calls) {
  Json form = Json::array();
  for (const RecordedCall& call : calls) {
    Json arrays = Json::array();
    for (const auto* list : {&call.inputs, &call.outputs}) {
      for (const RecordedArray& each : *list) {
        arrays.push_back({each.name, each.dtype, each.role, each.shape.size()});
      }
    }
    Json templates = Json::array();
    for (const RecordedTemplate& each : call.template_arguments) {
      templates.push_back({each.name, each.dtype});
    }
    form.push_back({call.name, call.source, call.header, arrays, templates});
  }
  return form.dump();
}

std::string problem_with(const RecordedSample& sample) {
  if (!sample.error.empty()) return sample.error;
  if (sample.calls.empty()) return "no kernel was launched";
  if (!sample.result.starts_with("result ")) {
    return "what it returns is not what a kernel wrote";
  }
  const int64_t q_len = sample.sizes.at("Lq");
  for (const RecordedCall& call : sample.calls) {
    for (const RecordedArray& input : call.inputs) {
      if (input.role != "values") continue;
      if (input.values.empty()) {
        return fmt::format(
            "input '{}' of {} is neither query, key, value, mask, scale nor "
            "small",
            input.name, call.name);
      }
      // A mask of (Lq, Lq) when there are more keys is a program's mistake,
      // not a table of numbers.
      if (input.dtype == "bool" && input.shape.size() >= 2 &&
          input.shape.back() == q_len) {
        return fmt::format(
            "input '{}' is a mask over other sizes than "
            "queries and keys",
            input.name);
      }
    }
    if (call.init_value && *call.init_value != 0.0) {
      return call.name + ": an init_value other than 0";
    }
  }
  return {};
}

}  // namespace evoke
