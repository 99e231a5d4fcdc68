// What a host compiler takes and Metal's refuses, found in the text. Messages
// are Metal's own where one was reported, and end with the way out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace evoke::metal::host {

// The version of the Metal Shading Language that a kernel is compiled for:
// it follows the system (macOS 14: 3.1, 15: 3.2, 26: 4.0).
enum class MetalVersion { v3_1, v3_2, v4_0 };
std::string_view to_string(MetalVersion version);
std::optional<MetalVersion> parse_metal_version(std::string_view text);

struct Lint {
  int line = 0;  // of the kernel file; 0: its plan's constants
  std::string message;
};

// Whether a cast to a pointer stands in the text, written either way.
bool casts_to_pointers(std::string_view text);

// `text` as MLX assembles it; `body_offset`: where the kernel's body begins.
std::vector<Lint> lint(std::string_view text, std::size_t body_offset,
                       MetalVersion version);

}  // namespace evoke::metal::host
