// The system's C++ compiler: which one, with which flags.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::cpu {

struct Toolchain {
  std::string program;  // absolute path
  std::string version;  // "g++ (Debian 12.2.0-14+deb12u1) 12.2.0"
  bool clang = false;
  std::vector<std::string> compile_flags;  // C++ to assembly
  std::vector<std::string> link_flags;     // assembly to shared object
};

// The first of g++, clang++ and c++ on `path` ("/usr/bin:/bin") that answers.
// `absent`: none; the message says what to install.
Result<Toolchain> find_toolchain(const std::string& path);

// PATH of this process, or the usual folders when it has none.
std::string program_path();

}  // namespace evoke::cpu
