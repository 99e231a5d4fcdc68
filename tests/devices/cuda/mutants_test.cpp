// The faults that `evoke selftest --device cuda` runs compile for Hopper, each
// of them, in the form that the decode steps and the prefills need. Whether
// they are found out is a GPU's to say.
#include <gtest/gtest.h>

#include <string>

#include "cuda_kernels.h"
#include "evoke/attention/kernel_mutants.h"
#include "evoke/core/launch_plan.h"
#include "evoke/devices/embedded_kernels.h"
#include "tests/devices/attention_call.h"

namespace evoke::cuda {
namespace {

using attention::KernelMutant;
using evoke::testing::attention_signature;
using evoke::testing::hopper_options;
using evoke::testing::shared_nvrtc;

Shape shape_of(int queries, int keys) {
  evoke::testing::CallShape shape;
  shape.Lq = queries;
  shape.Lk = keys;
  shape.causal = queries > 1;
  return evoke::testing::to_shape(shape);
}

TEST(CudaMutants, CompileForHopper) {
  EVOKE_NEEDS_NVRTC();
  const auto embedded = embedded_mutants(Dialect::cuda);
  ASSERT_TRUE(embedded);
  const KernelSource file = evoke::testing::parse_cuda(
      std::string(embedded->text), std::string(embedded->path));
  CudaCompiler compiler(shared_nvrtc(), hopper_options());
  // Masks matter with several queries only, so one form reaches all code.
  const Shape shape = shape_of(64, 64);
  for (const KernelMutant& mutant : attention::kernel_mutants(Dialect::cuda)) {
    SCOPED_TRACE(mutant.name);
    const auto kernel = attention::with_mutant(file, mutant);
    ASSERT_TRUE(kernel) << kernel.error().message;
    const auto plan =
        resolve(*kernel, attention_signature(), shape, hopper_options().limits);
    ASSERT_TRUE(plan) << plan.error().message;
    const CompileReply reply =
        compiler.compile(*kernel, attention_signature(), unit_of(*plan));
    ASSERT_EQ(reply.status, CompileReply::Status::ok) << reply.diagnostics;
    const Json& facts = reply.report["kernels"]["attend"];
    // Plain code has no reason to spill.
    EXPECT_EQ(facts["spill_store_bytes"], 0);
    EXPECT_EQ(facts["spill_load_bytes"], 0);
    EXPECT_EQ(facts["local_bytes"], 0);
    EXPECT_EQ(facts["threads"], 128);
  }
}

// The longest rows that it takes fit, on this GPU and on smaller ones.
TEST(CudaMutants, TakeTheShapesOfTheSelftest) {
  const KernelSource file = evoke::testing::parse_cuda(
      std::string(embedded_mutants(Dialect::cuda).value().text));
  DeviceLimits limits = hopper_options().limits;
  limits.max_threadgroup_memory = 48 << 10;
  for (const auto& [queries, keys] :
       {std::pair{1, 1}, {1, 4096}, {1, 8193}, {64, 64}, {513, 513}}) {
    const auto plan =
        resolve(file, attention_signature(), shape_of(queries, keys), limits);
    EXPECT_TRUE(plan) << plan.error().message;
  }
}

}  // namespace
}  // namespace evoke::cuda
