// Where a text declares variables in threadgroup memory, as opposed to
// pointers and references to such memory.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "evoke/devices/metal/host/source_text.h"

namespace evoke::metal::host {

struct ThreadgroupDeclaration {
  struct Variable {
    std::string name;
    std::string extents;  // "[4][8]"; empty: no array
    bool initialised = false;
  };
  std::size_t begin = 0;  // offsets in the text: of the statement,
  std::size_t end = 0;    // after its semicolon
  int line = 0;
  std::string type;  // without `threadgroup`
  std::vector<Variable> variables;
};

std::vector<ThreadgroupDeclaration> threadgroup_declarations(
    std::string_view text, const std::vector<TextToken>& tokens);

}  // namespace evoke::metal::host
