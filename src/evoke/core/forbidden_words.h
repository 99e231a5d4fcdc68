// What no candidate of a dialect may write: one table per dialect. Private to
// core.
//
// This is the first line of defence, and its purpose is an honest, quick
// error for honest authors. It is not the wall: what a program can reach is
// decided by the checks on the compiled object (imports, writable data,
// constructors) and by the runner's confinement.
#pragma once

#include <span>
#include <string_view>

#include "evoke/core/kernel_source.h"

namespace evoke {

// A word and why it is refused. A word that ends in '*' stands for every word
// that begins so.
struct ForbiddenWord {
  std::string_view word;
  std::string_view reason;
};

struct ForbiddenTable {
  std::span<const ForbiddenWord> words;
  // Text that no string literal may hold (inline machine code).
  std::span<const ForbiddenWord> in_strings;
  std::span<const std::string_view> headers;     // "#include <...>" of these
  std::span<const std::string_view> pragmas;     // first words, joined by ' '
  std::span<const std::string_view> attributes;  // without __ around them
};

const ForbiddenTable& forbidden_table(Dialect dialect);

}  // namespace evoke
