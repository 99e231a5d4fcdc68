#include "evoke/core/launch_bounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "evoke/core/device_facts.h"

namespace evoke {
namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxBlocks = 32;

// `threads` multiplied; empty when it needs more than the constants.
std::optional<int64_t> threads_of(const Launch& launch,
                                  const Symbols& constants) {
  int64_t product = 1;
  for (const Expression& extent : launch.threads) {
    const bool known = std::all_of(
        extent.names().begin(), extent.names().end(),
        [&](const std::string& name) { return constants.contains(name); });
    if (!known) return std::nullopt;
    const auto value = extent.evaluate(constants);
    if (!value || *value < 1 || *value > kMaxThreads) return std::nullopt;
    product *= *value;
  }
  return product <= kMaxThreads ? std::optional(product) : std::nullopt;
}

Result<int64_t> evaluated(const Expression& expression,
                          const Symbols& constants, const std::string& where,
                          int64_t most) {
  const auto value = expression.evaluate(constants);
  if (!value) {
    return failed(fmt::format("{}: '{}': {}", where, expression.text(),
                              value.error().message));
  }
  if (*value < 0 || *value > most) {
    return failed(fmt::format("{}: '{}' is {}; must be from 0 to {}", where,
                              expression.text(), *value, most));
  }
  return *value;
}

}  // namespace

Result<LaunchBounds> launch_bounds(const KernelSource& kernel,
                                   const CompileUnit& unit,
                                   std::string_view kernel_name) {
  LaunchBounds bounds;
  if (unit.variant >= kernel.plan().variants.size()) return bounds;
  bool known = true;
  const auto& launches = kernel.plan().variants[unit.variant].launches;
  for (std::size_t i = 0; i < launches.size(); ++i) {
    const Launch& launch = launches[i];
    if (launch.kernel != kernel_name) continue;
    const auto where = [&](std::string_view key) {
      return kernel.where(
          fmt::format("variant[{}].launch[{}].{}", unit.variant, i, key));
    };
    auto most = evaluated(launch.cuda.max_threads, unit.constants,
                          where("max_threads"), kMaxThreads);
    if (!most) return error_of(most);
    auto blocks = evaluated(launch.cuda.min_blocks, unit.constants,
                            where("min_blocks"), kMaxBlocks);
    if (!blocks) return error_of(blocks);
    const auto threads =
        *most > 0 ? std::optional(*most) : threads_of(launch, unit.constants);
    if (!threads && *blocks > 0) {
      return failed(
          where("min_blocks") +
          ": needs max_threads, since 'threads' depends on the shape");
    }
    known = known && threads.has_value();
    bounds.max_threads = std::max(bounds.max_threads, threads.value_or(0));
    bounds.min_blocks = *blocks;
  }
  if (!known) bounds.max_threads = 0;
  return bounds;
}

std::optional<int64_t> known_dynamic_memory(const KernelSource& kernel,
                                            const CompileUnit& unit,
                                            std::string_view kernel_name,
                                            const DeviceLimits& limits) {
  Symbols symbols = device_facts(limits);
  symbols.insert(unit.constants.begin(), unit.constants.end());
  if (unit.variant >= kernel.plan().variants.size()) return std::nullopt;
  int64_t most = 0;
  for (const Launch& launch : kernel.plan().variants[unit.variant].launches) {
    if (launch.kernel != kernel_name) continue;
    const auto value = launch.dynamic_memory.evaluate(symbols);
    if (!value || *value < 0) return std::nullopt;
    most = std::max(most, *value);
  }
  return most;
}

}  // namespace evoke
