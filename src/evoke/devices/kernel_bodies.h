// Where the kernels of a file stand: KERNEL(name) { body }.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace evoke {

struct KernelBody {
  std::string name;
  int line = 1;           // of KERNEL, counted from 1 at the code's start
  std::size_t begin = 0;  // offset of KERNEL
  std::size_t open = 0;   // offset of the body's '{'; begin if there is none
  std::size_t end = 0;    // offset after the closing brace; begin if there is
                          // none (the compiler then says what is wrong)
};

// In the order of the text. Comments, literals and directives are skipped; of
// an #if with #else inside a body, the first branch decides about braces. A
// name may come twice, under two branches of an #if.
std::vector<KernelBody> find_kernel_bodies(std::string_view code);

// The same text with every kernel that is not in `wanted` blanked out: its
// lines stay, so that line numbers do. Kernels of other variants may use
// parameters in ways that make no sense in this one.
std::string blank_other_kernels(std::string_view code,
                                const std::set<std::string>& wanted);

}  // namespace evoke
