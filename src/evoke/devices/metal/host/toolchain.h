// clang 19 and the flags of the three readings of a kernel.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::metal::host {

// Three compiles of the same text.
enum class Reading {
  address_spaces,  // syntax alone, with address spaces
  run,             // types as strict as Metal's; what runs
  checked          // the same, with every access watched
};

struct Toolchain {
  std::string program;  // absolute path
  std::string version;
};

// `absent`: no clang 19; the message says what to install.
Result<Toolchain> find_toolchain();

// After the program: language, machine, code generation. What a precompiled
// header was made with, to the letter.
std::vector<std::string> compile_flags(Reading reading);
std::vector<std::string> link_flags(Reading reading);

}  // namespace evoke::metal::host
