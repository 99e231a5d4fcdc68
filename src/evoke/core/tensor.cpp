#include "evoke/core/tensor.h"

#include <array>
#include <functional>
#include <numeric>

namespace evoke {
namespace {

struct TypeFacts {
  DType type;
  std::string_view name;
  int64_t bytes;
};
constexpr std::array<TypeFacts, 5> kTypes{{{DType::bfloat16, "bfloat16", 2},
                                           {DType::float16, "float16", 2},
                                           {DType::float32, "float32", 4},
                                           {DType::int32, "int32", 4},
                                           {DType::uint32, "uint32", 4}}};

const TypeFacts& facts_of(DType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

}  // namespace

int64_t size_of(DType type) { return facts_of(type).bytes; }

std::string_view to_string(DType type) { return facts_of(type).name; }

Result<DType> parse_dtype(std::string_view name) {
  for (const TypeFacts& facts : kTypes) {
    if (facts.name == name) return facts.type;
  }
  return absent("no element type '" + std::string(name) +
                "'; there are bfloat16, float16, float32, int32, uint32");
}

int64_t TensorLayout::num_elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1},
                         std::multiplies<>());
}

}  // namespace evoke
