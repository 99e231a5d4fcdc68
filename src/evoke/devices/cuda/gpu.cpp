#include "evoke/devices/cuda/gpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace evoke::cuda {
namespace {

// bfloat16 arithmetic and asynchronous copies begin there.
constexpr int kOldestMajor = 8;
constexpr int64_t kMaxGrid = (int64_t{1} << 31) - 1;
constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxScratchBytes = int64_t{4} << 30;

std::string uuid_text(const Uuid& uuid, bool part) {
  std::string text = part ? "MIG-" : "GPU-";
  for (std::size_t i = 0; i < sizeof(uuid.bytes); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", uuid.bytes[i]);
  }
  return text;
}

Result<Gpu> describe(const DriverApi& driver, int index) {
  Gpu gpu;
  gpu.index = index;
  if (const Status got = driver.device_get(&gpu.number, index);
      got != kSuccess) {
    return failed(fmt::format("GPU {}: {}", index, driver.error_text(got)));
  }
  std::array<char, 256> name{};
  driver.device_name(name.data(), static_cast<int>(name.size()) - 1,
                     gpu.number);
  gpu.name = name.data();
  Uuid uuid{};
  driver.device_uuid(&uuid, gpu.number);
  gpu.uuid = uuid_text(uuid, gpu.name.find(" MIG ") != std::string::npos);
  std::size_t bytes = 0;
  driver.device_bytes(&bytes, gpu.number);
  gpu.memory_bytes = static_cast<int64_t>(bytes);
  driver.driver_version(&gpu.driver_version);
  const auto attribute = [&](DeviceAttribute which, int64_t otherwise) {
    int value = 0;
    const Status got = driver.device_attribute(&value, which, gpu.number);
    return got == kSuccess && value > 0 ? int64_t{value} : otherwise;
  };
  gpu.major = static_cast<int>(attribute(DeviceAttribute::major, 0));
  // Zero is a minor version as well as "unknown".
  gpu.minor = static_cast<int>(attribute(DeviceAttribute::minor, 0));
  gpu.limits.num_sms = attribute(DeviceAttribute::num_sms, 1);
  gpu.limits.l2_bytes = attribute(DeviceAttribute::l2_bytes, 1 << 20);
  gpu.limits.max_threadgroup_memory =
      attribute(DeviceAttribute::shared_bytes_per_block, 48 << 10);
  gpu.limits.max_threads = kMaxThreads;
  gpu.limits.max_threadgroups = kMaxGrid;
  gpu.limits.max_scratch_bytes =
      std::min(kMaxScratchBytes, gpu.memory_bytes / 4);
  gpu.sm.registers =
      attribute(DeviceAttribute::registers_per_sm, gpu.sm.registers);
  gpu.sm.shared_bytes =
      attribute(DeviceAttribute::shared_bytes_per_sm, gpu.sm.shared_bytes);
  gpu.sm.reserved_shared_bytes = attribute(
      DeviceAttribute::reserved_shared_bytes, gpu.sm.reserved_shared_bytes);
  gpu.sm.threads =
      attribute(DeviceAttribute::max_threads_per_sm, gpu.sm.threads);
  gpu.sm.threadgroups =
      attribute(DeviceAttribute::max_blocks_per_sm, gpu.sm.threadgroups);
  return gpu;
}

std::string listed(const std::vector<Gpu>& gpus) {
  std::string text;
  for (const Gpu& gpu : gpus) {
    text += fmt::format("{}{} ({}, {})", text.empty() ? "" : ", ", gpu.index,
                        gpu.name, gpu.uuid);
  }
  return text;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

bool is_named(const Gpu& gpu, const std::string& selector) {
  int index = -1;
  const char* const end = selector.data() + selector.size();
  const auto parsed = std::from_chars(selector.data(), end, index);
  if (parsed.ec == std::errc() && parsed.ptr == end) return gpu.index == index;
  // "GPU-8f2a..." as nvidia-smi prints it, or the digits alone.
  const std::string wanted = lower(selector);
  const std::string uuid = lower(gpu.uuid);
  constexpr std::size_t kPrefix = 4;
  return uuid.starts_with(wanted) ||
         (wanted.size() >= kPrefix && uuid.substr(kPrefix).starts_with(wanted));
}

}  // namespace

std::string Gpu::architecture() const {
  return fmt::format("sm_{}{}{}", major, minor, major >= 9 ? "a" : "");
}

DeviceInfo Gpu::info() const {
  DeviceInfo info;
  info.kind = "cuda";
  info.name = fmt::format("{}, {} SMs, {:.0f} GiB", name, limits.num_sms,
                          static_cast<double>(memory_bytes) / (1 << 30));
  if (driver_version > 0) {
    info.name += fmt::format(", CUDA {}.{}", driver_version / 1000,
                             driver_version % 1000 / 10);
  }
  info.id = uuid;
  info.limits = limits;
  info.cache_bytes = limits.l2_bytes;
  info.features = {architecture()};
  if (major >= 9) info.features.emplace_back("tensor_maps");
  if (major == 9) info.features.emplace_back("wgmma");
  info.own_memory = true;
  info.memory_bytes = memory_bytes;
  info.own_clock = true;
  return info;
}

Gpu assumed_gpu() {
  Gpu gpu;
  gpu.name = "no GPU (limits of an H200)";
  gpu.memory_bytes = int64_t{141} * 1'000'000'000;
  gpu.limits.num_sms = 132;
  gpu.limits.l2_bytes = 50 << 20;
  gpu.limits.max_threadgroup_memory = 227 << 10;
  gpu.limits.max_threads = kMaxThreads;
  gpu.limits.max_threadgroups = kMaxGrid;
  gpu.limits.max_scratch_bytes = kMaxScratchBytes;
  return gpu;
}

Result<std::vector<Gpu>> list_gpus(const DriverApi& driver) {
  const Status started = driver.init(0);
  if (started != kSuccess) {
    const std::string hint =
        started == kErrorNoDevice
            ? "; is the GPU visible to this process (CUDA_VISIBLE_DEVICES, the "
              "container's devices, a MIG instance)?"
            : "; does `nvidia-smi` work here?";
    return absent(
        "the CUDA driver finds no GPU: " + driver.error_text(started) + hint);
  }
  int count = 0;
  driver.device_count(&count);
  std::vector<Gpu> gpus;
  for (int index = 0; index < count; ++index) {
    auto gpu = describe(driver, index);
    if (!gpu) return error_of(gpu);
    gpus.push_back(std::move(*gpu));
  }
  if (gpus.empty()) {
    return absent(
        "the CUDA driver shows no GPU; with MIG switched on, make an instance "
        "and name its UUID (nvidia-smi -L)");
  }
  return gpus;
}

std::vector<DeviceMember> members_of(const std::vector<Gpu>& gpus) {
  std::vector<DeviceMember> members;
  for (const Gpu& gpu : gpus) {
    members.push_back({fmt::format("cuda:{}", gpu.index),
                       fmt::format("{} ({})", gpu.info().name, gpu.uuid)});
  }
  return members;
}

Result<Gpu> find_gpu(const DriverApi& driver, const std::string& selector) {
  auto gpus = list_gpus(driver);
  if (!gpus) return error_of(gpus);
  const auto found =
      std::find_if(gpus->begin(), gpus->end(), [&](const Gpu& gpu) {
        return selector.empty() || is_named(gpu, selector);
      });
  if (found == gpus->end()) {
    return absent(fmt::format("no GPU '{}'; there {} {}: {}", selector,
                              gpus->size() == 1 ? "is" : "are", gpus->size(),
                              listed(*gpus)));
  }
  if (found->major < kOldestMajor) {
    return absent(fmt::format(
        "{} has compute capability {}.{}; evoke needs {}.0 or newer",
        found->name, found->major, found->minor, kOldestMajor));
  }
  return *found;
}

}  // namespace evoke::cuda
