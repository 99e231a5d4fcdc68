// The headers of prelude/ as text: NVRTC gets them by name, from memory. The
// definition is made at build time.
#pragma once

#include <span>
#include <string_view>

namespace evoke::cuda {

struct PreludeFile {
  const char* name;  // "prelude.h", as the headers include one another
  const char* text;
};

// "prelude.h" brings all others.
std::span<const PreludeFile> prelude_files();

}  // namespace evoke::cuda
