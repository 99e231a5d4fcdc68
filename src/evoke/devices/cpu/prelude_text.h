// The prelude's files as text, for the compiler's folder. The definitions are
// made from prelude.h and kernel_abi.h at build time.
#pragma once

#include <string_view>

namespace evoke::cpu {

extern const std::string_view kPreludeText;
extern const std::string_view kKernelAbiText;

}  // namespace evoke::cpu
