#include "evoke/interchange/kernel_code.h"

#include <algorithm>
#include <sstream>

#include "evoke/core/kernel_text.h"

namespace evoke {
namespace {

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t") == line.npos;
}

// Where kernels were cut out, runs of empty lines are left.
std::string without_gaps(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string out;
  bool gap = true;  // none at the start either
  for (std::string line; std::getline(lines, line);) {
    const bool blank = is_blank(line);
    if (!blank) out += line;
    if (!blank || !gap) out += '\n';
    gap = blank;
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

// The line that ends the last block, or the end.
std::size_t place_for_kernels(const std::string& text) {
  const std::size_t marker = text.rfind(KernelSource::kBlockEnd);
  if (marker == text.npos) return text.size();
  const std::size_t line = text.rfind('\n', marker);
  return line == text.npos ? 0 : line + 1;
}

}  // namespace

std::string join_code(const CodeParts& parts) {
  std::string text = parts.outside;
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  std::string kernels;
  for (const CodeParts::Body& body : parts.bodies) {
    kernels += "\nKERNEL(" + body.kernel + ") {" + body.text + "}\n";
  }
  return text.insert(place_for_kernels(text), kernels);
}

std::string authored_header(std::string_view header) {
  const std::size_t line = header.find("#line ");
  if (line == header.npos) return without_gaps(header);
  return without_gaps(
      header.substr(std::min(header.find('\n', line), header.size())));
}

std::string authored_body(std::string_view source) {
  if (source.starts_with("#line ")) {
    source.remove_prefix(std::min(source.find('\n') + 1, source.size()));
  }
  return std::string(source);
}

Result<KernelSource> kernel_file_of(std::string_view plan_toml,
                                    std::string_view code,
                                    std::string_view path) {
  std::string text = std::string(kPlanStart) + "\n";
  text += plan_toml;
  if (!text.ends_with('\n')) text += '\n';
  text += kPlanEnd;
  text += '\n';
  text += code;
  return KernelSource::parse(text, Dialect::metal, path);
}

}  // namespace evoke
