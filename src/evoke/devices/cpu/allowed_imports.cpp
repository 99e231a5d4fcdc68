#include <algorithm>
#include <iterator>

#include "evoke/devices/cpu/object_check.h"

namespace evoke::cpu {
namespace {

// Sorted. Pure functions of their arguments: memory moves and libm. Each name
// of libm stands for its double form; the float form adds an 'f'.
constexpr std::string_view kMemory[] = {"memcmp", "memcpy", "memmove",
                                        "memset"};
constexpr std::string_view kMath[] = {
    "acos",   "acosh",     "asin",      "asinh",    "atan",      "atan2",
    "atanh",  "cbrt",      "ceil",      "copysign", "cos",       "cosh",
    "erf",    "erfc",      "exp",       "exp2",     "expm1",     "fabs",
    "fdim",   "floor",     "fma",       "fmax",     "fmin",      "fmod",
    "frexp",  "hypot",     "ilogb",     "ldexp",    "llrint",    "llround",
    "log",    "log10",     "log1p",     "log2",     "logb",      "lrint",
    "lround", "nearbyint", "nextafter", "pow",      "remainder", "rint",
    "round",  "roundeven", "scalbln",   "scalbn",   "sin",       "sincos",
    "sinh",   "sqrt",      "tan",       "tanh",     "trunc"};

}  // namespace

bool is_allowed_import(std::string_view name) {
  const auto listed = [](const auto& list, std::string_view word) {
    return std::binary_search(std::begin(list), std::end(list), word);
  };
  return listed(kMemory, name) || listed(kMath, name) ||
         (name.ends_with('f') &&
          listed(kMath, name.substr(0, name.size() - 1)));
}

}  // namespace evoke::cpu
