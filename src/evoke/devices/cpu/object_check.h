// What a shared object may hold to be loaded as a kernel: code, constants and
// entry points; nothing that could remember anything between two calls, run
// by itself when loaded, or reach beyond a short list of C functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::cpu {

struct ObjectFacts {
  int64_t code_bytes = 0;
  int64_t constant_bytes = 0;
  std::vector<std::string> entry_points;  // sorted
  std::vector<std::string> imports;       // sorted
};

// Whether kernels may call this function of the C library.
bool is_allowed_import(std::string_view name);

using ImportFilter = bool (*)(std::string_view name);
// Refuses, each with a message fit for an author: memory that stays writable
// after loading (.data, .bss), thread-local storage, constructors and
// destructors, functions resolved at load time (IFUNC), imports that are not
// allowed, exports that are not entry points, needed libraries, and anything
// that is not a 64-bit ELF shared object of this machine.
Result<ObjectFacts> check_object(std::span<const std::byte> object,
                                 ImportFilter is_import = is_allowed_import);

}  // namespace evoke::cpu
