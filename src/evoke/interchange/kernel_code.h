// The code of a kernel file, put together from its parts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"

namespace evoke {

struct CodeParts {
  struct Body {
    std::string kernel;
    std::string text;  // between the braces
    bool operator==(const Body&) const = default;
  };
  std::string outside;  // all text outside of kernels
  std::vector<Body> bodies;
};

// Kernels stand at the end, inside the last EVOLVE-BLOCK where there is one.
std::string join_code(const CodeParts& parts);

// The parts of an assembled Metal kernel that the file's author wrote: what
// follows the generated constants, without #line.
std::string authored_header(std::string_view header);
std::string authored_body(std::string_view source);

// A kernel file of the metal dialect from a plan in TOML and code.
Result<KernelSource> kernel_file_of(std::string_view plan_toml,
                                    std::string_view code,
                                    std::string_view path);

}  // namespace evoke
