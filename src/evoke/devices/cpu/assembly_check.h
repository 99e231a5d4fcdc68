// Reads the assembly that the compiler wrote, before anything is assembled.
//
// The text of a kernel was searched for forbidden words, but macros and
// intrinsics can hide what they stand for; instructions cannot. Compilers
// write one instruction per line, so this needs no disassembler.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke::cpu {

struct AssemblyFacts {
  int64_t instructions = 0;
  // "avx512", "avx512_bf16", "amx", ...: what it cannot run without.
  std::set<std::string> isa;
};

// Refuses instructions that tell time, chance or identity, enter the system,
// reach thread-local storage, change how arithmetic rounds, or flush caches;
// and data written as code. The error is one line fit for an author.
Result<AssemblyFacts> check_assembly(std::string_view assembly);

}  // namespace evoke::cpu
