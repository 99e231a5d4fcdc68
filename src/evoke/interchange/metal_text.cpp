#include "evoke/interchange/metal_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "evoke/core/kernel_text.h"
#include "evoke/core/launch_plan.h"
#include "evoke/devices/metal/assemble.h"
#include "evoke/interchange/kernel_code.h"

namespace evoke {
namespace {

constexpr std::string_view kBanner = "// ==== variant '";
constexpr std::string_view kKernelWord = "', kernel '";

CompileUnit unit_of(const KernelPlan& plan, std::size_t variant,
                    const Symbols& constants) {
  CompileUnit unit{variant, constants};
  for (const Parameter& each : plan.parameters) {
    unit.constants[each.name] = each.value;
  }
  for (const auto& [name, value] : plan.variants[variant].parameters) {
    unit.constants[name] = value;
  }
  return unit;
}

// One kernel's text between two banners, taken apart.
Result<CodeParts::Body> body_of(std::string_view section,
                                const std::string& kernel,
                                std::string_view path) {
  const std::size_t signature = section.find("[[kernel]] void ");
  const std::size_t begin = section.find(") {\n", signature);
  const std::size_t end = section.rfind("\n}\n");
  if (signature == section.npos || begin == section.npos ||
      end == section.npos || end < begin + 4) {
    return failed(
        fmt::format("{}: the text of kernel '{}' is not whole", path, kernel));
  }
  return CodeParts::Body{
      kernel, authored_body(section.substr(begin + 4, end - begin - 4))};
}

}  // namespace

Result<std::string> to_metal_text(const KernelSource& kernel,
                                  const ProblemSignature& signature,
                                  const Symbols& constants) {
  const KernelPlan& plan = kernel.plan();
  std::string text =
      fmt::format("{}\n{}{}\n", kPlanStart, format_plan(plan), kPlanEnd);
  text += "// What MLX compiles, below its own utilities, for";
  for (const auto& [name, value] : constants) {
    fmt::format_to(std::back_inserter(text), " {} = {}", name, value);
  }
  text += ".\n// Each kernel is a text of its own.\n";
  for (std::size_t i = 0; i < plan.variants.size(); ++i) {
    const auto assembly =
        metal::assemble(kernel, signature, unit_of(plan, i, constants));
    if (!assembly) return error_of(assembly);
    for (const metal::AssembledKernel& each : assembly->kernels) {
      fmt::format_to(std::back_inserter(text), "{}{}{}{}' ====\n{}", kBanner,
                     plan.variants[i].name, kKernelWord, each.kernel,
                     each.source.text);
    }
  }
  return text;
}

bool is_metal_text(std::string_view text) {
  return text.find(kBanner) != text.npos;
}

Result<KernelSource> from_metal_text(std::string_view text,
                                     std::string_view path) {
  const auto split = split_kernel_text(text, path);
  if (!split) return error_of(split);
  CodeParts parts;
  std::string_view code = split->code();
  std::size_t at = code.find(kBanner);
  while (at != code.npos) {
    const std::size_t line_end = std::min(code.find('\n', at), code.size());
    const std::string_view banner = code.substr(at, line_end - at);
    const std::size_t name = banner.find(kKernelWord) + kKernelWord.size();
    const std::size_t quote = banner.find('\'', name);
    if (name < kKernelWord.size() || quote == banner.npos) {
      return failed(
          fmt::format("{}: not a line that names a kernel: {}", path, banner));
    }
    const std::string kernel(banner.substr(name, quote - name));
    const std::size_t next = code.find(kBanner, line_end);
    const std::string_view section =
        code.substr(line_end, std::min(next, code.size()) - line_end);
    auto body = body_of(section, kernel, path);
    if (!body) return error_of(body);
    const auto known = std::find_if(
        parts.bodies.begin(), parts.bodies.end(),
        [&](const CodeParts::Body& each) { return each.kernel == kernel; });
    if (known == parts.bodies.end()) {
      parts.outside =
          authored_header(section.substr(0, section.find("[[kernel]] void ")));
      parts.bodies.push_back(std::move(*body));
    } else if (!(*known == *body)) {
      return failed(
          fmt::format("{}: kernel '{}' has two bodies", path, kernel));
    }
    at = next;
  }
  return kernel_file_of(split->plan(), join_code(parts), path);
}

}  // namespace evoke
