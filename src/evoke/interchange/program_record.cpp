#include "evoke/interchange/program_record.h"

#include <algorithm>
#include <stdexcept>

namespace evoke {
namespace {

std::string text_or_empty(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  return found->get<std::string>();
}

RecordedArray array_of(const Json& json) {
  RecordedArray array;
  array.name = json.at("name").get<std::string>();
  array.dtype = json.at("dtype").get<std::string>();
  array.shape = json.at("shape").get<std::vector<int64_t>>();
  array.role = text_or_empty(json, "role");
  if (json.contains("values")) {
    for (const Json& value : json.at("values")) {
      // An infinity is written as a word that JSON does not have.
      array.values.push_back(value.is_number() ? value.get<double>() : 0.0);
    }
  }
  return array;
}

RecordedTemplate template_of(const Json& json) {
  RecordedTemplate argument;
  argument.name = json.at("name").get<std::string>();
  if (json.contains("dtype")) {
    argument.dtype = json.at("dtype").get<std::string>();
  } else if (json.contains("bool")) {
    argument.is_bool = true;
    argument.number = json.at("bool").get<bool>() ? 1 : 0;
  } else {
    argument.number = json.at("int").get<int64_t>();
  }
  return argument;
}

std::array<int64_t, 3> extents_of(const Json& json) {
  const auto given = json.get<std::vector<int64_t>>();
  if (given.size() != 3 ||
      std::any_of(given.begin(), given.end(), [](auto x) { return x < 1; })) {
    throw std::runtime_error("a grid of other than three positive extents");
  }
  return {given[0], given[1], given[2]};
}

RecordedCall call_of(const Json& json) {
  RecordedCall call;
  call.name = json.at("name").get<std::string>();
  call.source = json.at("source").get<std::string>();
  call.header = json.at("header").get<std::string>();
  for (const Json& each : json.at("inputs")) {
    call.inputs.push_back(array_of(each));
  }
  for (const Json& each : json.at("outputs")) {
    call.outputs.push_back(array_of(each));
  }
  for (const Json& each : json.at("template")) {
    call.template_arguments.push_back(template_of(each));
  }
  call.grid = extents_of(json.at("grid"));
  call.threadgroup = extents_of(json.at("threadgroup"));
  for (std::size_t i = 0; i < 3; ++i) {  // as MLX does
    call.threadgroup[i] = std::min(call.threadgroup[i], call.grid[i]);
  }
  call.ensure_row_contiguous = json.at("ensure_row_contiguous").get<bool>();
  call.atomic_outputs = json.at("atomic_outputs").get<bool>();
  if (json.at("init_value").is_number()) {
    call.init_value = json.at("init_value").get<double>();
  }
  return call;
}

std::vector<RecordedCall> calls_of(const Json& json) {
  std::vector<RecordedCall> calls;
  for (const Json& each : json) calls.push_back(call_of(each));
  return calls;
}

RecordedSample sample_of(const Json& json) {
  RecordedSample sample;
  for (const auto& [name, value] : json.at("sample").items()) {
    sample.sizes[name] = value.get<int64_t>();
  }
  sample.error = text_or_empty(json, "error");
  sample.result = text_or_empty(json, "result");
  if (json.contains("calls")) sample.calls = calls_of(json.at("calls"));
  return sample;
}

}  // namespace

Result<ProgramRecord> parse_program_record(const Json& json) {
  try {
    ProgramRecord record;
    record.mlx_version = json.at("mlx").get<std::string>();
    record.load_error = text_or_empty(json, "load_error");
    record.plan = text_or_empty(json, "plan");
    record.function = text_or_empty(json, "function");
    record.module_calls = calls_of(json.at("module_calls"));
    if (json.contains("samples")) {
      for (const Json& each : json.at("samples")) {
        record.samples.push_back(sample_of(each));
      }
    }
    return record;
  } catch (const std::exception& error) {
    return failed(std::string("the record of the program is damaged: ") +
                  error.what());
  }
}

}  // namespace evoke
