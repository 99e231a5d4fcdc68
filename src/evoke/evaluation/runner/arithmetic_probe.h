// Loops that do nothing but multiply and add, in registers, for the widest
// instructions that this processor has.
#pragma once

#include <cstdint>

namespace evoke::runner {

struct ArithmeticProbe {
  const char* instructions = "";  // "amx", "avx512 bf16", "avx512 fma", ...
  double flops_per_round = 0;
  // Runs so many rounds in the calling thread.
  void (*run)(int64_t rounds) = nullptr;
};

ArithmeticProbe bf16_probe();
ArithmeticProbe fp32_probe();

}  // namespace evoke::runner
