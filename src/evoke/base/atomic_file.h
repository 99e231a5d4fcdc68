// A file that appears whole or not at all: written beside its place, synced,
// renamed over it.
#pragma once

#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke {

// Replaces `path` with `text`. After success the content survives a power
// cut; after failure the old file is untouched and nothing is left behind.
Result<void> write_file_atomically(const std::string& path,
                                   std::string_view text);

}  // namespace evoke
