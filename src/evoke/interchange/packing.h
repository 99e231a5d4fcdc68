// Copies between tensors with strides and row-major scratch, as launches:
// MLX copies inputs that are not contiguous, kernel files have no copies.
#pragma once

#include <string>

#include "evoke/core/kernel_source.h"

namespace evoke {

// `query`: of a tensor (B, Hq, Lq, D), else (B, Hkv, Lk, D).
Launch copy_launch(const std::string& kernel, const std::string& from,
                   const std::string& to, bool query);

// Its body. `packs`: `from` has strides, `to` is row-major; else the other way
// around.
std::string copy_text(const std::string& to, const std::string& from,
                      bool query, bool packs);

}  // namespace evoke
