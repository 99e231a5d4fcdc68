#include "evoke/cli/founders.h"

#include <filesystem>
#include <utility>

#include "evoke/core/launch_plan.h"
#include "evoke/devices/embedded_kernels.h"

namespace evoke::cli {
namespace {

std::string stem(std::string_view path) {
  return std::filesystem::path(path).stem().string();
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

std::vector<std::string> uncovered_shapes(const KernelSource& kernel,
                                          const ProblemSignature& signature,
                                          const Workload& workload) {
  std::vector<std::string> names;
  for (const WorkloadShape& each : workload.shapes) {
    const auto plan = resolve(kernel, signature, each.shape, DeviceLimits{});
    if (!plan && plan.error().kind == ErrorKind::absent) {
      names.push_back(each.shape.name);
    }
  }
  return names;
}

}  // namespace

Result<std::vector<SeedKernel>> read_seeds(
    const std::vector<std::string>& paths, Dialect dialect,
    const ProblemSignature& signature, const Workload& workload) {
  std::vector<SeedKernel> seeds;
  if (paths.empty()) {
    for (const EmbeddedKernel& kernel : embedded_kernels(dialect)) {
      auto source = KernelSource::parse(kernel.text, dialect, kernel.path);
      if (!source) return error_of(source);
      seeds.push_back({stem(kernel.path), std::move(*source)});
    }
  }
  for (const std::string& path : paths) {
    auto source = KernelSource::read(path);
    if (!source) return error_of(source);
    if (source->dialect() != dialect) {
      return failed(path + ": a kernel of the " +
                    std::string(to_string(source->dialect())) +
                    " dialect cannot run on this device; choose another with "
                    "--device");
    }
    seeds.push_back({stem(path), std::move(*source)});
  }
  for (SeedKernel& seed : seeds) {
    seed.uncovered = uncovered_shapes(seed.source, signature, workload);
  }
  return seeds;
}

Result<std::vector<SeedKernel>> keep_founders(std::vector<SeedKernel> seeds) {
  if (seeds.empty()) {
    return failed("there is no kernel to start from; name a kernel file");
  }
  const std::string first =
      seeds.front().name + " has no variant for " +
      join(seeds.front().uncovered) +
      "; add one to the file, or choose another --workload";
  std::erase_if(seeds,
                [](const SeedKernel& seed) { return !seed.uncovered.empty(); });
  if (seeds.empty()) return failed(first);
  return seeds;
}

std::vector<Founder> to_founders(const std::vector<SeedKernel>& seeds) {
  std::vector<Founder> founders;
  for (const SeedKernel& seed : seeds) {
    Founder founder{seed.source.text(), seed.name, {}};
    if (auto printed = seed.source.with_plan(seed.source.plan())) {
      founder.spellings.push_back(printed->text());
    }
    founders.push_back(std::move(founder));
  }
  return founders;
}

}  // namespace evoke::cli
