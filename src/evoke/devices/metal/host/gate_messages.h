// What the three readings said, as one list of messages about the kernel file
// that is fit for a prompt.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/devices/metal/host/lints.h"

namespace evoke::metal::host {

struct GateMessage {
  int line = 0;
  bool error = false;
  std::string text;
};

// Errors and warnings of the types' reading, notes left out. What went wrong
// inside the shim is said of the line that led there.
std::vector<GateMessage> type_messages(std::string_view output,
                                       std::string_view label);
// Of the other reading: only what is about address spaces, and variables that
// are read before anything is written to them.
std::vector<GateMessage> address_space_messages(std::string_view output,
                                                std::string_view label);

// Of clang's dump of the syntax tree: casts that make pointers of integers.
std::vector<GateMessage> integer_cast_messages(std::string_view dump,
                                               std::string_view label);

// "kernel.metal:12: error: text", sorted, each once.
std::string to_text(std::vector<GateMessage> messages, std::string_view path,
                    std::size_t max_messages);

}  // namespace evoke::metal::host
