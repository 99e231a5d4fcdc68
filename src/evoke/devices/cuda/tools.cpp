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
// Of one launch: rows of its grid.
constexpr std::size_t kMostRanges = 4096;

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
                             {&checksums_, "evoke_checksums"},
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
  // Who watches for memory that is read before it is written sees kernels
  // alone.
  if (driver_.fill_bytes(flood_, 0, flood_bytes_ + 64, stream_) != kSuccess) {
    return failed("the GPU does not fill memory");
  }
  return {};
}

Tools::~Tools() {
  open_gate();
  if (flood_ != 0) driver_.memory_free(flood_);
  if (table_ != 0) driver_.memory_free(table_);
  if (gate_ != nullptr) driver_.host_free(const_cast<int*>(gate_));
  if (module_ != nullptr) driver_.module_unload(module_);
}

Status Tools::launch(Function function, unsigned blocks, unsigned threads,
                     unsigned shared_bytes, Stream stream, void** parameters,
                     unsigned rows) {
  LaunchConfig config{};
  config.grid[0] = blocks;
  config.grid[1] = rows;
  config.grid[2] = 1;
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
  for (std::size_t done = 0; done < ranges.size(); done += kMostRanges) {
    const std::size_t count = std::min(kMostRanges, ranges.size() - done);
    const Status status =
        checksums(ranges.subspan(done, count), std::span(sums).subspan(done));
    if (status != kSuccess) {
      return failed("checksums: " + driver_.error_text(status));
    }
  }
  return sums;
}

// At most kMostRanges.
Status Tools::checksums(std::span<const Bytes> ranges,
                        std::span<uint64_t> sums) {
  if (table_ == 0) {
    const Status status = driver_.memory_allocate(
        &table_, kMostRanges * (sizeof(Bytes) + sizeof(uint64_t)));
    if (status != kSuccess) return status;
  }
  // From the word in which a range begins: allocations begin with one.
  std::vector<Bytes> table;
  unsigned long long longest = 0;
  for (const Bytes& each : ranges) {
    const DevicePointer before = each.data % sizeof(uint64_t);
    table.push_back({each.data - before, each.bytes + before});
    longest = std::max<unsigned long long>(longest, table.back().bytes);
  }
  // About so many blocks at a time, and enough for the longest range.
  const unsigned long long most =
      std::max<unsigned long long>(gpu_.limits.num_sms, 1) * kBlocksPerSm * 4;
  const auto blocks = static_cast<unsigned>(std::clamp<unsigned long long>(
      longest / 8 / kThreads, 1, std::max(most / ranges.size(), 1ULL)));
  DevicePointer on_device = table_;
  DevicePointer sums_on_device = table_ + kMostRanges * sizeof(Bytes);
  std::array<void*, 2> parameters{&on_device, &sums_on_device};
  const std::size_t bytes = ranges.size() * sizeof(uint64_t);
  Status status = driver_.copy_to_device(on_device, table.data(),
                                         table.size() * sizeof(Bytes), stream_);
  const auto then = [&](Status next) {
    if (status == kSuccess) status = next;
  };
  then(driver_.fill_bytes(sums_on_device, 0, bytes, stream_));
  then(launch(checksums_, blocks, kThreads, 0, stream_, parameters.data(),
              static_cast<unsigned>(ranges.size())));
  then(driver_.copy_to_host(sums.data(), sums_on_device, bytes, stream_));
  then(driver_.stream_synchronize(stream_));
  return status;
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
