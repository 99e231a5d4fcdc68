#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "evoke/devices/cpu/compiler.h"
#include "evoke/devices/cpu/cpu_features.h"
#include "evoke/devices/cpu/session.h"
#include "evoke/devices/openers.h"

namespace evoke {
namespace {

// Threadgroup memory should stay in a core's second-level cache with room for
// the tensors that pass through it.
constexpr int64_t kLeastThreadgroupMemory = 256 * 1024;
constexpr int64_t kMostThreadgroupMemory = 1024 * 1024;

DeviceInfo cpu_info(int num_threads) {
  const cpu::CacheSizes caches = cpu::cache_sizes();
  DeviceInfo info;
  info.kind = "cpu";
  info.features = cpu::cpu_features();
  info.name = fmt::format("{}, {} thread{}", cpu::cpu_name(), num_threads,
                          num_threads == 1 ? "" : "s");
  if (!info.features.empty()) {
    info.name += fmt::format(", {}", fmt::join(info.features, " "));
  }
  info.cache_bytes = caches.last_level_bytes;
  info.limits.num_sms = num_threads;
  info.limits.l2_bytes = caches.l2_bytes;
  info.limits.max_threadgroup_memory = std::clamp(
      caches.l2_bytes / 2, kLeastThreadgroupMemory, kMostThreadgroupMemory);
  info.limits.max_threads = 1;
  return info;
}

}  // namespace

Result<Device> open_cpu_device(const DeviceOptions& options) {
  const int num_threads = options.num_threads > 0
                              ? options.num_threads
                              : static_cast<int>(cpu::allowed_cores().size());
  Device device;
  device.info = cpu_info(num_threads);
  if (options.with_compiler) {
    cpu::CompilerOptions compiler_options;
    compiler_options.folder = options.scratch_folder;
    auto compiler = cpu::CpuCompiler::open(compiler_options);
    if (!compiler) return error_of(compiler);
    device.compiler = std::move(*compiler);
  }
  if (options.with_session) {
    cpu::ThreadPoolOptions pool_options;
    pool_options.num_threads = num_threads;
    pool_options.memory_bytes =
        static_cast<std::size_t>(device.info.limits.max_threadgroup_memory);
    device.session = std::make_unique<cpu::CpuSession>(pool_options);
  }
  return device;
}

DeviceStatus probe_cpu_device() {
  const auto toolchain = cpu::find_toolchain(cpu::program_path());
  if (!toolchain) return {"cpu", false, toolchain.error().message};
  const DeviceInfo info =
      cpu_info(static_cast<int>(cpu::allowed_cores().size()));
  return {"cpu", true, info.name + "; " + toolchain->version};
}

}  // namespace evoke
