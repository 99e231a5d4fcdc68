#include "evoke/devices/cuda/cubin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evoke/base/rng.h"
#include "tests/devices/cuda/cuda_kernels.h"
#include "tests/devices/cuda/fake_gpu.h"

namespace evoke::cuda {
namespace {

std::vector<std::byte> real_cubin(const std::string& source) {
  NvrtcRequest request;
  request.source = source;
  request.name = "k.cu";
  request.options = {"--gpu-architecture=sm_90a"};
  return compile_here(*testing::shared_nvrtc(), request).cubin;
}

constexpr const char* kSource =
    "constexpr int kUnused = 3;\n__constant__ float table[4] = {1, 2, 3, 4};\n"
    "__device__ int counter;\n"
    "extern \"C\" __global__ void a(float* y, int n) {\n"
    "  __shared__ float part[64];\n  part[threadIdx.x] = y[n];\n"
    "  __syncthreads();\n  y[0] = part[n] + table[n];\n}\n"
    "extern \"C\" __global__ void b(float* y) { y[0] = 1; }\n";

TEST(Cubin, TellsKernelsAndVariables) {
  EVOKE_NEEDS_NVRTC();
  const auto facts = read_cubin(real_cubin(kSource));
  ASSERT_TRUE(facts) << facts.error().message;
  ASSERT_EQ(facts->kernels.size(), 2U);
  EXPECT_EQ(facts->kernels[0].name, "a");
  EXPECT_GT(facts->kernels[0].registers, 4);
  EXPECT_GT(facts->kernels[0].code_bytes, 128);
  EXPECT_GE(facts->kernels[0].shared_bytes, 256);
  EXPECT_EQ(facts->kernels[1].shared_bytes, 0);
  EXPECT_EQ(facts->constant_bytes, 16);
  EXPECT_THAT(facts->variables,
              ::testing::UnorderedElementsAre("kUnused", "counter"));
}

TEST(Cubin, TheHashIsOfMachineCodeNotOfHowItIsWritten) {
  EVOKE_NEEDS_NVRTC();
  const auto hash = [](const std::string& source) {
    const auto facts = read_cubin(real_cubin(source));
    return facts ? facts->code_hash : facts.error().message;
  };
  const auto kernel = [](const std::string& body) {
    return "extern \"C\" __global__ void a(float* y, int n) {" + body + "}\n";
  };
  const std::string plain = hash(kernel("y[n] = 3 * y[0];"));
  EXPECT_EQ(plain.size(), 32U);
  EXPECT_EQ(plain, hash("constexpr int kThree = 3;\nconstexpr int kFour = 4;\n"
                        "struct S { int at; bool other; };\n" +
                        kernel("const S s{n, false}; if (s.other) return; "
                               "y[s.at] = kThree * y[0];")));
  EXPECT_NE(plain, hash(kernel("y[n] = 4 * y[0];")));
  EXPECT_NE(plain, hash("extern \"C\" __global__ void b(float* y, int n) "
                        "{ y[n] = 3 * y[0]; }\n"));
  EXPECT_NE(plain, hash(kernel("__shared__ float part[64]; part[n] = y[0]; "
                               "y[n] = 3 * part[n];")));
  const auto table = [&](const std::string& values) {
    return hash("__constant__ float table[4] = {" + values + "};\n" +
                kernel("y[0] = table[n];"));
  };
  EXPECT_NE(table("1, 2, 3, 4"), table("1, 2, 3, 5"));
}

TEST(Cubin, OtherFilesAreRefused) {
  EXPECT_FALSE(read_cubin({}));
  EXPECT_FALSE(read_cubin(std::vector<std::byte>(1000, std::byte{0x7f})));
  const auto smallest = read_cubin(testing::fake_cubin({"a"}));
  ASSERT_TRUE(smallest) << smallest.error().message;
  EXPECT_EQ(smallest->kernels.size(), 1U);
}

TEST(Cubin, DamageIsAnErrorOrHarmless) {
  EVOKE_NEEDS_NVRTC();
  const std::vector<std::byte> whole = real_cubin(kSource);
  ASSERT_GT(whole.size(), 1000U);
  Rng rng(5);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::byte> damaged = whole;
    for (int i = 0; i < 8; ++i) {
      damaged[rng.below(damaged.size())] =
          static_cast<std::byte>(rng.below(256));
    }
    damaged.resize(rng.below(damaged.size()) + 1);
    (void)read_cubin(damaged);
  }
}

}  // namespace
}  // namespace evoke::cuda
