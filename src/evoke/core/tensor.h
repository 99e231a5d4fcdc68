// Element types and tensor layouts, shared by plans, problems and devices.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke {

enum class DType { bfloat16, float16, float32, int32, uint32 };

int64_t size_of(DType type);                       // bytes of one element
std::string_view to_string(DType type);            // "bfloat16"
Result<DType> parse_dtype(std::string_view name);  // absent: unknown name

// Where a tensor lies inside an allocation of its own. The allocation is
// larger than the tensor: guard bands lie before, after and, for strided
// layouts, between its rows.
struct TensorLayout {
  std::string name;
  DType type = DType::float32;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements; the last one is 1
  int64_t offset_bytes = 0;      // of element 0, from the allocation's start
  int64_t allocation_bytes = 0;

  int64_t num_elements() const;
};

}  // namespace evoke
