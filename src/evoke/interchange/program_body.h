// The body of a kernel, between a program's names and a kernel file's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evoke/interchange/program_record.h"

namespace evoke {

// What a body sees under the program's own names.
struct Passage {
  std::vector<std::string> before;  // outside of the block of its own
  std::vector<std::string> inside;
};

// "bfloat16_t" for "bfloat16"; empty when tensors cannot be of that type.
std::string metal_type(const std::string& dtype);

// A tensor under another name, with what MLX would add to it where `source`
// names that.
void alias(Passage& passage, const std::string& source, const std::string& name,
           const std::string& tensor, const std::string& type, bool written);

// A small input as a local array, or a local value when it has rank 0.
void pass_values(Passage& passage, const RecordedArray& input,
                 const std::string& type,
                 const std::vector<std::string>& values);

// A type for boolean masks: nothing is read for them.
extern const std::string_view kCausalMask;

// The text between a kernel's braces.
std::string body_text(const Passage& passage, std::string source);

}  // namespace evoke
