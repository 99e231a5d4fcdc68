// Shapes and helpers that the attention tests share.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "evoke/attention/attention_case.h"
#include "evoke/attention/bf16.h"
#include "evoke/attention/layouts.h"
#include "evoke/attention/recipe.h"
#include "evoke/attention/shape.h"

namespace evoke::attention {

// Few heads, so that tests are quick under sanitizers too.
inline AttentionShape small_shape(int64_t q_len, int64_t kv_len,
                                  bool causal = false) {
  AttentionShape shape;
  shape.Hq = 4;
  shape.Hkv = 2;
  shape.D = 32;
  shape.Lq = q_len;
  shape.Lk = kv_len;
  shape.causal = causal;
  return shape;
}

// As kernels run: rounded to bfloat16, in the output's layout.
inline std::vector<std::byte> laid_out(const TensorLayout& tensor,
                                       const std::vector<float>& output) {
  std::vector<std::byte> allocation(tensor.allocation_bytes);
  poison(allocation);
  std::size_t next = 0;
  for (int64_t b = 0; b < tensor.shape[0]; ++b) {
    for (int64_t h = 0; h < tensor.shape[1]; ++h) {
      for (int64_t i = 0; i < tensor.shape[2]; ++i) {
        std::byte* row = allocation.data() + row_offset_bytes(tensor, b, h, i);
        for (int64_t d = 0; d < tensor.shape[3]; ++d) {
          const uint16_t bits = bf16_of_float(output[next++]);
          std::memcpy(row + 2 * d, &bits, 2);
        }
      }
    }
  }
  return allocation;
}

inline std::vector<float> computed(const Recipe& recipe,
                                   const FloatInputs& inputs) {
  std::vector<float> output(inputs.query.size());
  compute(recipe, inputs, output);
  return output;
}

// The right answer to a case, laid out.
inline std::vector<std::byte> right_output(const AttentionCase& prepared) {
  return laid_out(prepared.tensors()[kOutput],
                  computed({}, float_inputs(prepared.generator())));
}

inline AttentionCase make_case(const AttentionShape& shape,
                               const std::string& input,
                               const std::string& layout, uint64_t seed = 1) {
  return AttentionCase({to_shape(shape), input, layout}, seed);
}

}  // namespace evoke::attention
