// Files that the program carries: prompt templates and prices.
#pragma once

#include <string_view>
#include <vector>

namespace evoke::llm {

// "prompts/improve.txt", "prices.toml", ...
std::vector<std::string_view> embedded_text_names();
// Throws std::logic_error when there is no such text.
std::string_view embedded_text(std::string_view name);

}  // namespace evoke::llm
