#include "evoke/devices/cuda/rates.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string>

namespace evoke::cuda {
namespace {

constexpr int kTries = 7;
constexpr int64_t kSmallestFootprint = int64_t{1} << 20;
// Long enough that starting and ending do not count: tens of milliseconds.
constexpr unsigned kRounds = 100'000;

// What a multiplying kernel of rates.cu does.
struct Multiplier {
  std::string_view ptx;
  const char* name = nullptr;
  unsigned threads = 0;
  unsigned blocks_per_sm = 0;
  double flops_per_block_and_round = 0;
};

Multiplier multiplier_of(const Gpu& gpu) {
  if (gpu.major == 9) {
    return {kRatesHopperPtx, "evoke_multiply_by_warpgroup", 128, 2,
            2.0 * 64 * 256 * 16 * 4};
  }
  return {kRatesPtx, "evoke_multiply", 128, 4, 2.0 * 16 * 8 * 16 * 8 * 4};
}

class Probe {
 public:
  Probe(const DriverApi& driver, Stream stream)
      : driver_(driver), stream_(stream) {}
  ~Probe() {
    if (begin_ != nullptr) driver_.event_destroy(begin_);
    if (end_ != nullptr) driver_.event_destroy(end_);
    if (module_ != nullptr) driver_.module_unload(module_);
    if (memory_ != 0) driver_.memory_free(memory_);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  Result<void> check(Status status, const char* what) const {
    if (status == kSuccess) return {};
    return failed(std::string(what) + ": " + driver_.error_text(status));
  }
  Result<void> open() {
    auto made = check(driver_.event_create(&begin_, kEventDefault), "event");
    if (!made) return made;
    return check(driver_.event_create(&end_, kEventDefault), "event");
  }
  Result<DevicePointer> allocate(std::size_t bytes) {
    auto got = check(driver_.memory_allocate(&memory_, bytes), "room to read");
    if (!got) return error_of(got);
    // Zeros would be read as quickly as anything, but not all memory is
    // there before it is written.
    auto filled = check(driver_.fill_bytes(memory_, 1, bytes, stream_), "fill");
    if (!filled) return error_of(filled);
    return memory_;
  }
  Result<Function> load(const Multiplier& multiplier) {
    const std::string ptx(multiplier.ptx);
    auto loaded =
        check(driver_.module_load(&module_, ptx.c_str()), "loading probes");
    if (!loaded) return error_of(loaded);
    Function function = nullptr;
    auto found = check(
        driver_.module_function(&function, module_, multiplier.name), "probe");
    if (!found) return error_of(found);
    return function;
  }
  // Seconds of the quickest try; the first one only warms up.
  Result<double> best_seconds(const std::function<Status()>& queue) {
    double best = 0;
    for (int i = 0; i < kTries; ++i) {
      Status status = driver_.event_record(begin_, stream_);
      if (status == kSuccess) status = queue();
      if (status == kSuccess) status = driver_.event_record(end_, stream_);
      if (status == kSuccess) status = driver_.stream_synchronize(stream_);
      float ms = 0;
      if (status == kSuccess) {
        status = driver_.event_elapsed(&ms, begin_, end_);
      }
      if (auto ran = check(status, "measuring"); !ran) return error_of(ran);
      if (i == 0 || !(ms > 0)) continue;
      const double seconds = ms * 1e-3;
      if (!(best > 0) || seconds < best) best = seconds;
    }
    if (!(best > 0)) return failed("the GPU's clock stood still");
    return best;
  }

 private:
  const DriverApi& driver_;
  Stream stream_;
  Event begin_ = nullptr;
  Event end_ = nullptr;
  Module module_ = nullptr;
  DevicePointer memory_ = 0;
};

Result<double> measure_flops(const DriverApi& driver, const Gpu& gpu,
                             Stream stream, Probe& probe) {
  const Multiplier multiplier = multiplier_of(gpu);
  auto function = probe.load(multiplier);
  if (!function) return error_of(function);
  const auto blocks =
      static_cast<unsigned>(gpu.limits.num_sms) * multiplier.blocks_per_sm;
  auto seconds = probe.best_seconds([&] {
    unsigned rounds = kRounds;
    DevicePointer sink = 0;
    std::array<void*, 2> parameters{&rounds, &sink};
    LaunchConfig config{};
    config.grid[0] = blocks;
    config.grid[1] = config.grid[2] = 1;
    config.block[0] = multiplier.threads;
    config.block[1] = config.block[2] = 1;
    config.stream = stream;
    return driver.launch(&config, *function, parameters.data(), nullptr);
  });
  if (!seconds) return error_of(seconds);
  return multiplier.flops_per_block_and_round * kRounds * blocks / *seconds;
}

}  // namespace

Result<DeviceRates> measure_rates(const DriverApi& driver, const Gpu& gpu,
                                  Stream stream, Tools& tools,
                                  int64_t footprint_bytes, bool flops) {
  DeviceRates rates;
  Probe probe(driver, stream);
  if (auto opened = probe.open(); !opened) return error_of(opened);
  const auto bytes = static_cast<std::size_t>(
      std::max(footprint_bytes, kSmallestFootprint) / 16 * 16);
  auto memory = probe.allocate(bytes);
  if (!memory) return error_of(memory);
  auto seconds =
      probe.best_seconds([&] { return tools.read({*memory, bytes}); });
  if (!seconds) return error_of(seconds);
  rates.read_bytes_per_s = static_cast<double>(bytes) / *seconds;
  if (flops) {
    auto rate = measure_flops(driver, gpu, stream, probe);
    if (!rate) return error_of(rate);
    rates.bf16_flops = *rate;
  }
  return rates;
}

}  // namespace evoke::cuda
