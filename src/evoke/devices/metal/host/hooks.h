// Keeps the functions of kernel_abi.h and the compiler's hooks in programs
// that load kernels: nothing in them is named by other code of ours.
#pragma once

namespace evoke::metal::host {

// Their number; calling it links them in.
int keep_hooks();

}  // namespace evoke::metal::host
