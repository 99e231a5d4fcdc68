// Workloads: the built-in ones, and TOML files of users.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/problem.h"

namespace evoke::attention {

// "quick", "qwen3-0.6b", "qwen3-0.6b-batched".
std::vector<std::string> workload_names();

// A built-in workload, or else a file. Format:
//
//   name = "my-model"            # default: the file's name
//   [defaults]                   # any of B Hq Hkv Lq Lk D causal
//   Hq = 32
//   Hkv = 8
//   [[shape]]
//   Lk = 4096                    # missing letters: defaults, then Qwen3-0.6B's
//   causal = false               # default: Lq > 1
//   weight = 2.0                 # default 1
//   name = "decode-4k"           # default: made from the sizes
//
// `absent`: neither a name nor a file. Other errors name file, line and key.
Result<Workload> find_workload(const std::string& name_or_path);
Result<Workload> parse_workload(std::string_view text, std::string_view path);

}  // namespace evoke::attention
