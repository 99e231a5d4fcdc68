#include "evoke/core/kernel_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "evoke/base/fd.h"
#include "evoke/base/hash.h"
#include "evoke/base/utf8.h"
#include "evoke/core/kernel_text.h"
#include "evoke/core/plan_parser.h"

namespace evoke {
namespace {

// Every launched kernel must be named somewhere in the code: what comes of
// macros is the compiler's business.
Result<void> check_kernels_defined(const KernelSource& kernel) {
  const auto& tokens = kernel.tokens();
  const auto& variants = kernel.plan().variants;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    for (std::size_t i = 0; i < variants[v].launches.size(); ++i) {
      const std::string& name = variants[v].launches[i].kernel;
      const bool named = std::any_of(
          tokens.begin(), tokens.end(), [&](const SourceToken& token) {
            return token.kind == SourceToken::Kind::identifier &&
                   token.text == name;
          });
      if (named) continue;
      return failed(fmt::format(
          "{}: the code defines no '{}'; write KERNEL({}) {{ ... }}",
          kernel.where(fmt::format("variant[{}].launch[{}].kernel", v, i)),
          name, name));
    }
  }
  return {};
}

std::string quoted(std::string_view line) {
  return fmt::format("'{}'", one_line(line, 120));
}

}  // namespace

std::string_view to_string(Dialect dialect) {
  switch (dialect) {
    case Dialect::cuda:
      return "cuda";
    case Dialect::metal:
      return "metal";
    case Dialect::cpu:
      break;
  }
  return "cpu";
}

std::string_view file_suffix(Dialect dialect) {
  switch (dialect) {
    case Dialect::cuda:
      return ".cu";
    case Dialect::metal:
      return ".metal";
    case Dialect::cpu:
      break;
  }
  return ".cpp";
}

Result<Dialect> dialect_of_path(std::string_view path) {
  for (const Dialect dialect : {Dialect::cpu, Dialect::cuda, Dialect::metal}) {
    if (path.ends_with(file_suffix(dialect))) return dialect;
  }
  return failed(fmt::format(
      "{}: unknown dialect; kernel files end in .cpp, .cu or .metal", path));
}

std::string kind_of_device(const std::string& device) {
  return device.substr(0, device.find(':'));
}

Result<Dialect> dialect_of_device(const std::string& device) {
  const std::string kind = kind_of_device(device);
  for (const Dialect each : {Dialect::cpu, Dialect::cuda, Dialect::metal}) {
    if (to_string(each) == kind) return each;
  }
  return absent("no device is called '" + kind +
                "'; there are cpu, cuda and metal");
}

std::string PlanLines::where(std::string_view key) const {
  std::string_view around = key;
  auto found = lines.find(around);
  while (found == lines.end() && !around.empty()) {
    const std::size_t cut = around.find_last_of(".[");
    around = around.substr(0, cut == around.npos ? 0 : cut);
    found = lines.find(around);
  }
  return fmt::format("{}:{}: {}", path,
                     found == lines.end() ? 1 : found->second, key);
}

const Parameter* KernelPlan::find_parameter(std::string_view name) const {
  for (const Parameter& parameter : parameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

const TensorMap* KernelPlan::find_tensor_map(std::string_view name) const {
  for (const TensorMap& map : tensor_maps) {
    if (map.name == name) return &map;
  }
  return nullptr;
}

Result<KernelSource> KernelSource::parse(std::string_view text, Dialect dialect,
                                         std::string_view path) {
  auto split = split_kernel_text(text, path);
  if (!split) return error_of(split);
  auto parsed = parse_plan(split->plan(), split->plan_line, dialect, path);
  if (!parsed) return error_of(parsed);
  if (const auto checked = check_plan(parsed->plan, parsed->lines); !checked) {
    return error_of(checked);
  }
  KernelSource kernel;
  kernel.dialect_ = dialect;
  kernel.plan_ = std::move(parsed->plan);
  kernel.lines_ = std::move(parsed->lines);
  kernel.text_ = std::move(split->text);
  kernel.code_offset_ = split->code_offset;
  kernel.code_line_ = split->code_line;
  kernel.hash_ = hash_hex(kernel.text_);
  kernel.tokens_ = std::make_shared<const std::vector<SourceToken>>(
      tokens_of(kernel.code(), kernel.code_line()));
  if (const auto checked = check_kernels_defined(kernel); !checked) {
    return error_of(checked);
  }
  return kernel;
}

Result<KernelSource> KernelSource::read(const std::string& path) {
  const auto dialect = dialect_of_path(path);
  if (!dialect) return error_of(dialect);
  const auto text = read_file(path);
  if (!text) return error_of(text);
  return parse(*text, *dialect, path);
}

std::string format_kernel(const KernelPlan& plan, std::string_view code) {
  return fmt::format("{}\n{}{}{}", kPlanStart, format_plan(plan), kPlanEnd,
                     code);
}

Result<KernelSource> KernelSource::with_plan(const KernelPlan& plan) const {
  return parse(format_kernel(plan, code()), dialect_, path());
}

Result<void> KernelSource::check_immutable_text(
    const KernelSource& other) const {
  if (other.dialect_ != dialect_) {
    return failed(fmt::format("{}: the dialect may not change from {} to {}",
                              other.path(), to_string(dialect_),
                              to_string(other.dialect_)));
  }
  if (other.plan_.problem != plan_.problem) {
    return failed(fmt::format("{}: may not change from '{}' to '{}'",
                              other.where("problem"), plan_.problem,
                              other.plan_.problem));
  }
  const auto ours = segments_of(code(), code_line_);
  const auto theirs = segments_of(other.code(), other.code_line_);
  if (ours.size() == 1) return {};  // no markers: all may change
  constexpr std::string_view kMayNotChange =
      "text outside the EVOLVE-BLOCK markers may not change";
  for (std::size_t s = 0; s < ours.size(); ++s) {
    if (ours[s].mutable_text) continue;
    if (s >= theirs.size() || theirs[s].mutable_text) {
      return failed(fmt::format("{}:{}: {}; missing: {}", other.path(),
                                theirs.back().first_line, kMayNotChange,
                                quoted(ours[s].lines.front())));
    }
    const std::size_t most =
        std::max(ours[s].lines.size(), theirs[s].lines.size());
    for (std::size_t i = 0; i < most; ++i) {
      const bool here = i < theirs[s].lines.size();
      const bool expected = i < ours[s].lines.size();
      if (here && expected && ours[s].lines[i] == theirs[s].lines[i]) continue;
      return failed(
          fmt::format("{}:{}: {}; expected {}, found {}", other.path(),
                      theirs[s].first_line + static_cast<int>(i), kMayNotChange,
                      expected ? quoted(ours[s].lines[i]) : "no more text",
                      here ? quoted(theirs[s].lines[i]) : "no more text"));
    }
  }
  if (theirs.size() > ours.size()) {
    return failed(fmt::format("{}:{}: {}; one block too many", other.path(),
                              theirs[ours.size()].first_line, kMayNotChange));
  }
  return {};
}

}  // namespace evoke
