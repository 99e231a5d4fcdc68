// The head of a .safetensors file, checked against the file's size, so that a
// file that was cut short is found before any of it is used.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::model {

struct StoredTensor {
  std::string dtype;  // as in the file: "BF16", "F32", "U32", ...
  std::vector<int64_t> shape;
};

using StoredTensors = std::map<std::string, StoredTensor, std::less<>>;

// `absent`: no such file.
Result<StoredTensors> read_safetensors_head(const std::filesystem::path& path);

}  // namespace evoke::model
