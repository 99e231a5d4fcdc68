// The metal device where there is no Metal: kernels are read as strictly as
// Metal reads them, run on the host and watched. Never a word about speed.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "evoke/devices/cpu/cpu_features.h"
#include "evoke/devices/metal/host/compiler.h"
#include "evoke/devices/metal/host/executor.h"
#include "evoke/devices/metal/host/session.h"
#include "evoke/devices/openers.h"

namespace evoke {
namespace {

DeviceInfo host_info(metal::host::MetalVersion version, int num_threads) {
  DeviceInfo info;
  info.kind = "metal";
  info.name =
      fmt::format("Metal {} on the host (checks only), {} thread{}",
                  to_string(version), num_threads, num_threads == 1 ? "" : "s");
  info.features = {"checks_only"};
  info.cache_bytes = cpu::cache_sizes().last_level_bytes;
  // As an Apple GPU answers; what depends on the model is the smallest.
  info.limits.num_sms = 8;
  info.limits.l2_bytes = 4 << 20;
  info.limits.max_threadgroup_memory = metal::host::kThreadgroupMemoryBytes;
  info.limits.max_threads = metal::host::kMaxThreads;
  return info;
}

}  // namespace

Result<Device> open_metal_device(const DeviceOptions& options) {
  const int num_threads = options.num_threads > 0
                              ? options.num_threads
                              : static_cast<int>(cpu::allowed_cores().size());
  const auto version =
      options.selector.empty()
          ? std::optional(metal::host::CompilerOptions{}.version)
          : metal::host::parse_metal_version(options.selector);
  if (!version) {
    return failed("metal:" + options.selector +
                  ": Metal's language is checked as version 3.1, 3.2 or 4.0, "
                  "as in metal:3.2");
  }
  Device device;
  device.info = host_info(*version, num_threads);
  if (options.with_compiler) {
    metal::host::CompilerOptions compiler_options;
    compiler_options.folder = options.scratch_folder;
    compiler_options.version = *version;
    auto compiler = metal::host::HostCompiler::open(compiler_options);
    if (!compiler) return error_of(compiler);
    device.compiler = std::move(*compiler);
  }
  if (options.with_session) {
    metal::host::SessionOptions session_options;
    session_options.num_threads = num_threads;
    device.session =
        std::make_unique<metal::host::HostSession>(session_options);
  }
  return device;
}

DeviceStatus probe_metal_device() {
  const auto toolchain = metal::host::find_toolchain();
  if (!toolchain) return {"metal", false, toolchain.error().message};
  const DeviceInfo info =
      host_info(metal::host::CompilerOptions{}.version,
                static_cast<int>(cpu::allowed_cores().size()));
  return {"metal", true, info.name + "; " + toolchain->version,
          /*checks_only=*/true};
}

}  // namespace evoke
