// What this processor and this system let kernels use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace evoke::cpu {

// "avx2", "fma", "avx512", "avx512_bf16", "amx_bf16", "neon": only what the
// operating system enables too. Asks the system once for leave to use AMX,
// which threads started later inherit; so call this before starting any.
const std::vector<std::string>& cpu_features();
bool has_feature(const std::string& name);

std::string cpu_name();  // "Intel(R) Xeon(R) Processor"

struct CacheSizes {
  int64_t l2_bytes = int64_t{1} << 20;          // of one core
  int64_t last_level_bytes = int64_t{8} << 20;  // shared
};
CacheSizes cache_sizes();

// The cores that this process may use, by number.
std::vector<int> allowed_cores();
// Binds the calling thread to one core, or to several; does nothing where the
// system has no such call.
void bind_thread(const std::vector<int>& cores);

}  // namespace evoke::cpu
