// Whether code stays inside the braces that the host puts around it. Private
// to core.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/core/source_tokens.h"

namespace evoke {

struct BraceError {
  int line = 1;
  std::string_view what;
};

// Braces must pair, in every branch of every #if alike and within each
// #define: then no choice of macros closes a brace that the code did not
// open.
std::optional<BraceError> find_brace_error(
    const std::vector<SourceToken>& tokens);

}  // namespace evoke
