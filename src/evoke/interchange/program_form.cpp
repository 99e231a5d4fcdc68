#include "evoke/interchange/program_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "evoke/base/expression.h"
#include "evoke/base/json.h"

namespace evoke {
namespace {

// What a program did, less the numbers.
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

// Why a sample cannot be followed; empty when it can.
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

// The first condition that holds for all of `samples` and for none of
// `others`.
std::optional<std::string> condition_of(
    const std::vector<const RecordedSample*>& samples,
    const std::vector<const RecordedSample*>& others) {
  static const std::array<const char*, 9> kConditions = {"1",
                                                         "Lq == 1",
                                                         "Lq > 1",
                                                         "Lk <= Lq",
                                                         "Lk > Lq",
                                                         "Lk > Lq && Lq > 1",
                                                         "Lq > 1 && Lk <= Lq",
                                                         "B == 1",
                                                         "D == 128"};
  for (const char* text : kConditions) {
    const Expression condition = Expression::parse(text).value();
    const auto holds = [&](const RecordedSample* each) {
      return condition.evaluate(each->sizes).value_or(0) != 0;
    };
    if (std::all_of(samples.begin(), samples.end(), holds) &&
        std::none_of(others.begin(), others.end(), holds)) {
      return text;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<SampleGroup>> group_samples(const ProgramRecord& record) {
  std::vector<SampleGroup> groups;
  std::vector<std::string> forms;
  std::vector<const RecordedSample*> refused;
  std::string first_problem;
  for (const RecordedSample& each : record.samples) {
    const std::string problem = problem_with(each);
    if (!problem.empty()) {
      if (first_problem.empty()) first_problem = problem;
      refused.push_back(&each);
      continue;
    }
    const std::string form = form_of(each.calls);
    const auto known = std::find(forms.begin(), forms.end(), form);
    if (known == forms.end()) {
      forms.push_back(form);
      groups.push_back({{&each}, {}});
    } else {
      groups[static_cast<std::size_t>(known - forms.begin())].samples.push_back(
          &each);
    }
  }
  if (groups.empty()) {
    return failed(record.function +
                  "() could not be followed at any size: " + first_problem);
  }
  for (SampleGroup& group : groups) {
    std::vector<const RecordedSample*> others = refused;
    for (const SampleGroup& other : groups) {
      if (&other == &group) continue;
      others.insert(others.end(), other.samples.begin(), other.samples.end());
    }
    auto when = condition_of(group.samples, others);
    if (!when) {
      return failed(
          "which sizes take which kernels cannot be told from samples; name a "
          "function that launches the same kernels at all sizes");
    }
    group.when = *std::move(when);
  }
  return groups;
}

}  // namespace evoke
