#include "evoke/devices/cuda/tools.h"

#include <algorithm>
#include <array>
#include <string>

namespace evoke::cuda {
namespace {

// How long the gate holds by itself: queueing a block takes milliseconds.
constexpr unsigned long long kGateLimitNs = 4'000'000'000;
constexpr unsigned kThreads = 512;
constexpr unsigned kBlocksPerSm = 4;

}  // namespace

Result<std::unique_ptr<Tools>> Tools::open(const DriverApi& driver,
                                           const Gpu& gpu, Stream stream) {
  std::unique_ptr<Tools> tools(new Tools(driver, gpu, stream));
  if (auto prepared = tools->prepare(); !prepared) return error_of(prepared);
  return tools;
}

Result<void> Tools::prepare() {
  const std::string ptx(kToolsPtx);
  if (const Status status = driver_.module_load(&module_, ptx.c_str());
      status != kSuccess) {
    return failed("the driver does not take evoke's own kernels: " +
                  driver_.error_text(status));
  }
  struct Wanted {
    Function* function;
    const char* name;
  };
  for (const Wanted& each : {Wanted{&hold_, "evoke_hold"},
                             {&checksum_, "evoke_checksum"},
                             {&read_, "evoke_read"},
                             {&scrub_, "evoke_scrub"},
                             {&occupy_, "evoke_occupy"}}) {
    if (driver_.module_function(each.function, module_, each.name) !=
        kSuccess) {
      return failed(std::string("evoke's own kernels lack ") + each.name);
    }
  }
  driver_.function_set_attribute(
      scrub_, FunctionAttribute::max_dynamic_shared_bytes,
      static_cast<int>(gpu_.limits.max_threadgroup_memory));
  void* gate = nullptr;
  if (driver_.host_allocate(&gate, sizeof(int), kHostAllocMapped) != kSuccess ||
      driver_.host_device_pointer(&gate_device_, gate, 0) != kSuccess) {
    return failed("the GPU cannot see memory of the host");
  }
  gate_ = static_cast<volatile int*>(gate);
  *gate_ = 1;
  flood_bytes_ = static_cast<std::size_t>(2 * gpu_.limits.l2_bytes) / 16 * 16;
  if (driver_.memory_allocate(&flood_, flood_bytes_ + 64) != kSuccess) {
    return failed("the GPU has no room for twice its L2");
  }
  return {};
}

Tools::~Tools() {
  open_gate();
  if (flood_ != 0) driver_.memory_free(flood_);
  if (sums_ != 0) driver_.memory_free(sums_);
  if (gate_ != nullptr) driver_.host_free(const_cast<int*>(gate_));
  if (module_ != nullptr) driver_.module_unload(module_);
}

Status Tools::launch(Function function, unsigned blocks, unsigned threads,
                     unsigned shared_bytes, Stream stream, void** parameters) {
  LaunchConfig config{};
  config.grid[0] = blocks;
  config.grid[1] = config.grid[2] = 1;
  config.block[0] = threads;
  config.block[1] = config.block[2] = 1;
  config.shared_bytes = shared_bytes;
  config.stream = stream;
  return driver_.launch(&config, function, parameters, nullptr);
}

Status Tools::close_gate() {
  *gate_ = 0;
  unsigned long long limit = kGateLimitNs;
  std::array<void*, 2> parameters{&gate_device_, &limit};
  return launch(hold_, 1, 1, 0, stream_, parameters.data());
}

void Tools::open_gate() {
  if (gate_ != nullptr) *gate_ = 1;
}

Result<std::vector<uint64_t>> Tools::checksums(std::span<const Bytes> ranges) {
  std::vector<uint64_t> sums(ranges.size(), 0);
  if (ranges.empty()) return sums;
  const auto check = [&](Status status) -> Result<void> {
    if (status == kSuccess) return {};
    return failed("checksums: " + driver_.error_text(status));
  };
  if (num_sums_ < ranges.size()) {
    if (sums_ != 0) driver_.memory_free(sums_);
    sums_ = 0;
    num_sums_ = 0;
    auto made = check(
        driver_.memory_allocate(&sums_, ranges.size() * sizeof(uint64_t)));
    if (!made) return error_of(made);
    num_sums_ = ranges.size();
  }
  const std::size_t bytes = sums.size() * sizeof(uint64_t);
  auto queued = check(driver_.fill_bytes(sums_, 0, bytes, stream_));
  for (std::size_t i = 0; i < ranges.size() && queued; ++i) {
    // From the word in which the range begins: allocations begin with one.
    const DevicePointer before = ranges[i].data % sizeof(uint64_t);
    DevicePointer data = ranges[i].data - before;
    unsigned long long size = ranges[i].bytes + before;
    DevicePointer sum = sums_ + i * sizeof(uint64_t);
    std::array<void*, 3> parameters{&data, &size, &sum};
    const auto most =
        static_cast<unsigned long long>(gpu_.limits.num_sms) * kBlocksPerSm;
    const auto blocks = static_cast<unsigned>(
        std::clamp<unsigned long long>(size / 8 / kThreads, 1, most));
    queued = check(
        launch(checksum_, blocks, kThreads, 0, stream_, parameters.data()));
  }
  if (queued) {
    queued = check(driver_.copy_to_host(sums.data(), sums_, bytes, stream_));
  }
  if (queued) queued = check(driver_.stream_synchronize(stream_));
  if (!queued) return error_of(queued);
  return sums;
}

Status Tools::forget() {
  // (Absent on GPUs without a persisting part: nothing to give up.)
  driver_.reset_persisting_l2();
  if (const Status status = read({flood_, flood_bytes_}); status != kSuccess) {
    return status;
  }
  const auto shared = static_cast<unsigned>(gpu_.limits.max_threadgroup_memory);
  unsigned words = shared / 4;
  std::array<void*, 1> scrubbing{&words};
  return launch(scrub_, static_cast<unsigned>(gpu_.limits.num_sms), kThreads,
                shared, stream_, scrubbing.data());
}

Status Tools::read(Bytes bytes) {
  unsigned long long count = bytes.bytes / 16;
  DevicePointer sink = flood_ + flood_bytes_;
  std::array<void*, 3> parameters{&bytes.data, &count, &sink};
  const auto sms = static_cast<unsigned>(gpu_.limits.num_sms);
  return launch(read_, sms * kBlocksPerSm, kThreads, 0, stream_,
                parameters.data());
}

Status Tools::occupy(Stream stream, int64_t duration_ns) {
  auto duration = static_cast<unsigned long long>(duration_ns);
  std::array<void*, 1> parameters{&duration};
  // All of an SM's threads, so that nothing else fits beside.
  constexpr unsigned kAllThreads = 1024;
  const auto blocks =
      static_cast<unsigned>(std::max<int64_t>(gpu_.limits.num_sms, 2));
  return launch(occupy_, blocks, kAllThreads, 0, stream, parameters.data());
}

}  // namespace evoke::cuda
