// The text of a kernel file, before anybody reads its plan: normalisation,
// where the plan's comment lies, and the EVOLVE-BLOCK markers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke {

struct KernelText {
  std::string text;  // normalised
  std::size_t plan_offset = 0;
  std::size_t plan_size = 0;
  int plan_line = 1;            // 1-based, of the plan's first byte
  std::size_t code_offset = 0;  // just after the comment
  int code_line = 1;

  std::string_view plan() const {
    return std::string_view(text).substr(plan_offset, plan_size);
  }
  std::string_view code() const {
    return std::string_view(text).substr(code_offset);
  }
};

inline constexpr std::string_view kPlanStart = "/*evoke";
inline constexpr std::string_view kPlanEnd = "evoke*/";

// LF line ends, no byte order mark, no trailing blanks, one line end at the
// end. Errors ("path:line: what"): too large, not UTF-8, control or
// direction-changing characters, no plan, a plan that does not end, markers
// that do not pair.
Result<KernelText> split_kernel_text(std::string_view raw,
                                     std::string_view path);

// A stretch of lines of one side of the markers. Marker lines belong to the
// immutable side.
struct TextSegment {
  bool mutable_text = false;
  int first_line = 1;  // 1-based in the file
  std::vector<std::string_view> lines;
};
// Code without markers is one mutable segment.
std::vector<TextSegment> segments_of(std::string_view code, int first_line);

}  // namespace evoke
