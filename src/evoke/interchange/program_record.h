// What a Python program was seen to give to mx.fast.metal_kernel.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/expression.h"
#include "evoke/base/json.h"

namespace evoke {

struct RecordedArray {
  std::string name;
  std::string dtype;  // as MLX calls it: "bfloat16", "bool"
  std::vector<int64_t> shape;
  // "query", "key", "value", "causal_mask", "full_mask", "scale",
  // "result CALL OUTPUT", or "values": anything else.
  std::string role;
  std::vector<double> values;  // of a small input
};

struct RecordedTemplate {
  std::string name;
  std::string dtype;  // empty: a number
  int64_t number = 0;
  bool is_bool = false;
  bool operator==(const RecordedTemplate&) const = default;
};

struct RecordedCall {
  std::string name;
  std::string source;
  std::string header;
  std::vector<RecordedArray> inputs;
  std::vector<RecordedArray> outputs;
  std::vector<RecordedTemplate> template_arguments;
  std::array<int64_t, 3> grid{1, 1, 1};  // in threads
  std::array<int64_t, 3> threadgroup{1, 1, 1};
  bool ensure_row_contiguous = true;
  bool atomic_outputs = false;
  std::optional<double> init_value;
};

struct RecordedSample {
  Symbols sizes;  // B Hq Hkv Lq Lk D causal
  std::vector<RecordedCall> calls;
  std::string result;  // the role of what the function returned
  std::string error;   // why it did not run through
};

struct ProgramRecord {
  std::string mlx_version;
  std::string load_error;
  std::string plan;      // TOML; empty unless evoke exported the program
  std::string function;  // that takes queries, keys and values; empty: none
  std::vector<RecordedSample> samples;
  std::vector<RecordedCall> module_calls;  // made while it was loaded
};

// Checks everything: what wrote the record had run somebody's program.
Result<ProgramRecord> parse_program_record(const Json& record);

}  // namespace evoke
