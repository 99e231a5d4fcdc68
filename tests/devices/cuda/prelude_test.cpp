// The prelude for kernel writers: every part compiles for sm_90a, and on a GPU
// does what plain code does (units.h).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "cuda_kernels.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"
#include "evoke/devices/cuda/nvrtc_process.h"
#include "evoke/devices/cuda/prelude_text.h"

namespace evoke::cuda {
namespace {

using evoke::testing::shared_nvrtc;

// As in units.h.
constexpr std::size_t kInputs = 4096;
constexpr std::size_t kOutputs = std::size_t{64} * 4224;
constexpr std::size_t kRows = 256;
constexpr std::size_t kColumns = 256;

std::string read_file(const std::string& name) {
  std::ifstream file(std::string(EVOKE_CUDA_UNITS_FOLDER) + "/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Unit {
  std::string name;
  unsigned blocks = 1;
  unsigned threads = 1;
  unsigned cluster = 1;
  unsigned shared_bytes = 0;
  unsigned launches = 1;
  double tolerance = 0;
};

std::vector<Unit> units_of(const std::string& text) {
  std::vector<Unit> units;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string slashes;
    std::string key;
    Unit unit;
    if (words >> slashes >> key >> unit.name >> unit.blocks >> unit.threads >>
            unit.cluster >> unit.shared_bytes >> unit.launches >>
            unit.tolerance &&
        slashes == "//" && key == "unit") {
      units.push_back(unit);
    }
  }
  return units;
}

NvrtcReply compile_units(const std::string& file, const std::string& stride) {
  NvrtcRequest request;
  request.source = read_file(file);
  request.name = file;
  const std::string shared = read_file("units.h");
  request.headers.push_back({"units.h", shared.c_str()});
  for (const PreludeFile& each : prelude_files()) {
    request.headers.push_back({each.name, each.text});
  }
  request.options = {"--gpu-architecture=sm_90a", "--std=c++20",
                     "--ptxas-options=-v",
                     "--define-macro=WIDTH_STRIDE=" + stride};
  return compile_here(*shared_nvrtc(), request);
}

// Widths 8, 72, 136 and 200 of wgmma: all 32 take a minute.
TEST(CudaPrelude, CompilesForHopper) {
  EVOKE_NEEDS_NVRTC();
  for (const char* file : {"prelude_units.cu", "wgmma_units.cu"}) {
    const NvrtcReply reply = compile_units(file, "64");
    ASSERT_EQ(reply.status, 0) << reply.log;
    EXPECT_GT(reply.cubin.size(), 10'000U);
    EXPECT_EQ(reply.log.find("C7508"), std::string::npos) << reply.log;
    EXPECT_EQ(reply.log.find("serialized"), std::string::npos) << reply.log;
    EXPECT_GE(units_of(read_file(file)).size(), 4U);
  }
}

// Device memory filled from the host, freed at the end.
class Buffer {
 public:
  Buffer(const DriverApi& driver, const void* data, std::size_t bytes)
      : driver_(driver) {
    EXPECT_EQ(driver_.memory_allocate(&address_, bytes), kSuccess);
    EXPECT_EQ(driver_.copy_to_device(address_, data, bytes, nullptr), kSuccess);
  }
  ~Buffer() { driver_.memory_free(address_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  DevicePointer address() const { return address_; }
  template <typename T>
  std::vector<T> read(std::size_t count) const {
    std::vector<T> values(count);
    EXPECT_EQ(driver_.copy_to_host(values.data(), address_, count * sizeof(T),
                                   nullptr),
              kSuccess);
    return values;
  }

 private:
  const DriverApi& driver_;
  DevicePointer address_ = 0;
};

class UnitRunner {
 public:
  UnitRunner(const DriverApi& driver, const NvrtcReply& compiled)
      : driver_(driver) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    for (float& x : in_) x = normal(random);
    for (uint16_t& x : matrix_) {
      const float value = normal(random);
      uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      x = static_cast<uint16_t>(bits >> 16);
    }
    EXPECT_EQ(driver_.module_load(&module_, compiled.cubin.data()), kSuccess);
  }
  ~UnitRunner() { driver_.module_unload(module_); }
  UnitRunner(const UnitRunner&) = delete;
  UnitRunner& operator=(const UnitRunner&) = delete;

  void compare(const Unit& unit) {
    const Written got = run("unit_" + unit.name, unit, unit.launches > 1);
    const Written want = run("plain_" + unit.name, unit, false);
    EXPECT_EQ(got.copy, want.copy);
    float greatest = 0;
    float error = 0;
    for (std::size_t i = 0; i < kOutputs; ++i) {
      ASSERT_TRUE(std::isfinite(got.out[i])) << i;
      greatest = std::max(greatest, std::abs(want.out[i]));
      error = std::max(error, std::abs(got.out[i] - want.out[i]));
    }
    EXPECT_TRUE(error <= unit.tolerance * greatest)
        << error << " of " << greatest;
    // A unit that wrote nothing would agree with one that wrote nothing.
    EXPECT_TRUE(greatest > 0 ||
                want.copy != std::vector<uint16_t>(kRows * kColumns));
  }

 private:
  struct Written {
    std::vector<float> out;
    std::vector<uint16_t> copy;
  };

  TensorMapWords map_of(const Buffer& matrix) const {
    TensorMapWords map{};
    const uint64_t extents[2] = {kColumns, kRows};
    const uint64_t stride = kColumns * 2;
    const uint32_t box[2] = {64, 64};
    const uint32_t ones[2] = {1, 1};
    EXPECT_EQ(driver_.tensor_map_encode(&map, TensorMapType::bfloat16, 2,
                                        matrix.address(), extents, &stride, box,
                                        ones, 0, /*swizzle 128*/ 3, 0, 0),
              kSuccess);
    return map;
  }

  Written run(const std::string& name, const Unit& unit, bool dependent) {
    const Buffer in(driver_, in_.data(), in_.size() * 4);
    const Buffer matrix(driver_, matrix_.data(), matrix_.size() * 2);
    const std::vector<float> no_out(kOutputs);
    const std::vector<uint16_t> no_copy(kRows * kColumns);
    const Buffer out(driver_, no_out.data(), kOutputs * 4);
    const Buffer copy(driver_, no_copy.data(), no_copy.size() * 2);
    DevicePointer pointers[4] = {in.address(), matrix.address(), out.address(),
                                 copy.address()};
    TensorMapWords maps[2] = {map_of(matrix), map_of(copy)};
    void* parameters[6] = {&pointers[0], &pointers[1], &pointers[2],
                           &pointers[3], &maps[0],     &maps[1]};
    Function function = nullptr;
    EXPECT_EQ(driver_.module_function(&function, module_, name.c_str()),
              kSuccess);
    LaunchAttribute attributes[2]{};
    LaunchConfig config{};
    config.grid[0] = unit.blocks;
    config.block[0] = unit.threads;
    config.grid[1] = config.grid[2] = config.block[1] = config.block[2] = 1;
    config.shared_bytes = unit.shared_bytes;
    config.attributes = attributes;
    if (unit.cluster > 1) {
      attributes[0].id = LaunchAttributeId::cluster;
      attributes[0].value.cluster = {unit.cluster, 1, 1};
      config.num_attributes = 1;
    }
    for (unsigned i = 0; i < unit.launches; ++i) {
      if (dependent && i > 0) {
        LaunchAttribute& last = attributes[config.num_attributes++];
        last.id = LaunchAttributeId::programmatic_stream_serialization;
        last.value.programmatic_stream_serialization = 1;
      }
      EXPECT_EQ(driver_.launch(&config, function, parameters, nullptr),
                kSuccess);
    }
    const Status status = driver_.stream_synchronize(nullptr);
    EXPECT_EQ(status, kSuccess) << driver_.error_text(status);
    return {out.read<float>(kOutputs), copy.read<uint16_t>(kRows * kColumns)};
  }

  const DriverApi& driver_;
  Module module_ = nullptr;
  std::vector<float> in_ = std::vector<float>(kInputs);
  std::vector<uint16_t> matrix_ = std::vector<uint16_t>(kRows * kColumns);
};

TEST(CudaPrelude, DoesOnAGpuWhatPlainCodeDoes) {
  EVOKE_NEEDS_NVRTC();
  const auto driver = load_driver();
  if (!driver) GTEST_SKIP() << driver.error().message;
  const auto gpu = find_gpu(**driver, "");
  if (!gpu) GTEST_SKIP() << gpu.error().message;
  if (gpu->major != 9) GTEST_SKIP() << gpu->name << " is no Hopper GPU";
  Context context = nullptr;
  ASSERT_EQ((*driver)->context_retain(&context, gpu->number), kSuccess);
  ASSERT_EQ((*driver)->context_set(context), kSuccess);
  for (const char* file : {"prelude_units.cu", "wgmma_units.cu"}) {
    const NvrtcReply compiled = compile_units(file, "8");
    ASSERT_EQ(compiled.status, 0) << compiled.log;
    UnitRunner runner(**driver, compiled);
    for (const Unit& unit : units_of(read_file(file))) {
      SCOPED_TRACE(unit.name);
      runner.compare(unit);
      if (HasFatalFailure()) break;
    }
  }
  EXPECT_EQ((*driver)->context_release(gpu->number), kSuccess);
}

}  // namespace
}  // namespace evoke::cuda
