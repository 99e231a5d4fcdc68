// How matrices are best multiplied where MLX runs on a CPU.
//
// Under Linux MLX's own products of bfloat16, float16 and packed weights have
// no vector code and use one thread, while its float32 products are BLAS's.
// With a threaded BLAS in front of the wheel's, widening the operands for one
// product and narrowing the result is quicker from two rows on, and for
// attention always; it also rounds less. docs/model.md has the numbers.
#pragma once

#include <string>

namespace evoke::model {

// Whether that is so here: MLX's default device is a CPU and OpenBLAS is in
// front. EVOKE_WIDEN=0 in the environment says no.
bool widens_products();

// The file that serves MLX's float32 products on a CPU.
std::string blas_file();

}  // namespace evoke::model
