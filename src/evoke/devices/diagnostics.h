// A compiler's messages made fit for a prompt.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace evoke {

// Folders are cut off paths ("/tmp/x/prelude.h:12:" becomes "prelude.h:12:"),
// lines that only say who included whom go, bytes that are not UTF-8 are
// replaced, and the text ends after `max_bytes` at a line's end.
std::string clean_diagnostics(std::string_view text,
                              std::size_t max_bytes = 6000);

}  // namespace evoke
