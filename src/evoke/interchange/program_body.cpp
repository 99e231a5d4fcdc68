#include "evoke/interchange/program_body.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

namespace evoke {

std::string metal_type(const std::string& dtype) {
  static const std::map<std::string, std::string> kTypes = {
      {"bool", "bool"},
      {"float32", "float"},
      {"float16", "half"},
      {"bfloat16", "bfloat16_t"},
      {"int32", "int32_t"},
      {"uint32", "uint32_t"},
      {"int64", "int64_t"},
      {"uint64", "uint64_t"},
      {"int16", "int16_t"},
      {"uint16", "uint16_t"},
      {"int8", "int8_t"},
      {"uint8", "uint8_t"},
      {"complex64", "complex64_t"}};
  const auto found = kTypes.find(dtype);
  return found == kTypes.end() ? std::string() : found->second;
}

void alias(Passage& passage, const std::string& source, const std::string& name,
           const std::string& tensor, const std::string& type, bool written) {
  if (name == tensor) return;
  passage.inside.push_back(fmt::format(
      "{}device {}* {} = {};", written ? "" : "const ", type, name, tensor));
  if (written) return;
  for (const char* suffix : {"_shape", "_strides"}) {
    if (source.find(name + suffix) == std::string::npos) continue;
    passage.inside.push_back(
        fmt::format("const constant {}* {}{} = {}{};",
                    std::string_view(suffix) == "_shape" ? "int" : "int64_t",
                    name, suffix, tensor, suffix));
  }
}

void pass_values(Passage& passage, const RecordedArray& input,
                 const std::string& type,
                 const std::vector<std::string>& values) {
  if (input.shape.empty()) {
    passage.inside.push_back(
        fmt::format("const {} {} = {};", type, input.name, values.front()));
  } else {
    passage.inside.push_back(fmt::format("const {} {}[{}] = {{{}}};", type,
                                         input.name, values.size(),
                                         fmt::join(values, ", ")));
  }
}

const std::string_view kCausalMask =
    "// A boolean mask (..., Lq, Lk) as the program indexes it: true\n"
    "// where a query sees a key, aligned at the bottom right.\n"
    "struct CausalMask {\n"
    "  int q_len;\n  int kv_len;\n  bool everything;\n"
    "  bool operator[](uint i) const {\n"
    "    const int column = i % uint(kv_len);\n"
    "    const int row = i / uint(kv_len) % uint(q_len);\n"
    "    return everything || column <= row + kv_len - q_len;\n"
    "  }\n};\n";

std::string body_text(const Passage& passage, std::string source) {
  std::string text = "\n";
  for (const std::string& line : passage.before) text += "  " + line + "\n";
  text += "  {\n";
  for (const std::string& line : passage.inside) text += "    " + line + "\n";
  if (source.starts_with('\n')) source.erase(0, 1);
  text += source;
  if (!text.ends_with('\n')) text += '\n';
  return text + "  }\n";
}

}  // namespace evoke
