// The seeds that evoke carries, crossed with each other: the children
// compile, and compute attention; those for GPUs are launched as their parents.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <array>
#include <iterator>
#include <string>
#include <string_view>

#include "evoke/core/launch_plan.h"
#include "evoke/devices/embedded_kernels.h"
#include "evoke/devices/registry.h"
#include "evoke/proposers/parameters/merge.h"
#include "evoke/proposers/parameters/parameters_proposer.h"
#include "tests/devices/attention_call.h"

namespace evoke {
namespace {

KernelSource seed(Dialect dialect, std::string_view name) {
  std::string text;
  for (const EmbeddedKernel& kernel : embedded_kernels(dialect)) {
    if (kernel.path.find(name) != kernel.path.npos) text = kernel.text;
  }
  EXPECT_FALSE(text.empty()) << name;
  return KernelSource::parse(text, dialect, std::string(name)).value();
}

Exemplar cpu_seed(CandidateId id, std::string_view name) {
  Exemplar exemplar;
  exemplar.candidate.id = id;
  exemplar.candidate.text = seed(Dialect::cpu, name).text();
  return exemplar;
}

class SeedCrossover
    : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(SeedCrossover, GivesAKernelThatIsRight) {
  ParametersProposer proposer({.dialect = Dialect::cpu});
  ProposalRequest request;
  request.operation = "variant_crossover";
  request.parent = cpu_seed(1, GetParam().first);
  request.inspirations = {cpu_seed(2, GetParam().second)};
  const auto proposal = proposer.propose(request);
  ASSERT_TRUE(proposal) << proposal.error().message;
  ASSERT_EQ(proposal->operation, "variant_crossover");
  const auto child =
      KernelSource::parse(proposal->text, Dialect::cpu, "child.cpp");
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_TRUE(check_forbidden_text(*child));

  DeviceOptions options;
  options.num_threads = 2;
  options.with_compiler = true;
  options.with_session = true;
  auto device = open_device("cpu", options);
  ASSERT_TRUE(device) << device.error().message;
  for (const auto& [queries, keys] : {std::pair{1, 300}, {33, 130}}) {
    testing::CallShape shape;
    shape.Lq = queries;
    shape.Lk = keys;
    shape.causal = queries > 1;
    SCOPED_TRACE(testing::to_string(shape));
    const auto signature = testing::attention_signature();
    const auto plan = resolve(*child, signature, testing::to_shape(shape),
                              device->info.limits);
    ASSERT_TRUE(plan) << plan.error().message;
    const CompileReply reply =
        device->compiler->compile(*child, signature, unit_of(*plan));
    ASSERT_EQ(reply.status, CompileReply::Status::ok) << reply.diagnostics;
    const auto program = device->session->load(reply.artifact);
    ASSERT_TRUE(program) << program.error().message;
    testing::AttentionCall call(shape, 1);
    const testing::Scratch scratch(*plan);
    auto tensors = call.tensors();
    tensors.insert(tensors.end(), scratch.tensors().begin(),
                   scratch.tensors().end());
    const auto id = device->session->prepare(*program, *plan, tensors);
    ASSERT_TRUE(id) << id.error().message;
    ASSERT_TRUE(device->session->run(std::array{*id}));
    EXPECT_LE(call.worst_error(), 2e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Seeds, SeedCrossover,
    ::testing::Values(std::pair{"decode_split_kv", "prefill_tiled"},
                      std::pair{"prefill_tiled", "composite"},
                      std::pair{"composite", "three_pass"}));

// The child's variant in front of all others answers for the mate's shapes.
KernelSource with_variant(const KernelSource& parent, const KernelSource& mate,
                          std::size_t variant) {
  const auto child =
      parameters::merged(parent, mate, variant, parent.plan().variants.size());
  EXPECT_TRUE(child.has_value());
  return KernelSource::parse(format_kernel(child->plan, child->code),
                             Dialect::cuda, "child.cu")
      .value();
}

// All of a launch but the names that it goes by.
std::string launches_of(const LaunchPlan& plan) {
  std::string text;
  for (const ResolvedLaunch& launch : plan.launches) {
    fmt::format_to(std::back_inserter(text), "{} {} {} {}\n",
                   launch.threadgroups, launch.threads, launch.cluster,
                   launch.dynamic_memory_bytes);
    for (const std::size_t at : launch.tensor_maps) {
      const ResolvedTensorMap& map = plan.tensor_maps[at];
      fmt::format_to(std::back_inserter(text), "  {} {} {} {}\n",
                     map.tensor.index, map.box, map.swizzle_bytes,
                     map.l2_promotion_bytes);
    }
  }
  return text;
}

TEST(SeedCrossoverForCuda, LeavesLaunchesAsTheyWere) {
  DeviceLimits limits;
  limits.num_sms = 132;
  limits.l2_bytes = 50 << 20;
  limits.max_threadgroup_memory = 227 << 10;
  limits.max_threads = 1024;
  const auto signature = testing::attention_signature();
  std::size_t compared = 0;
  for (const char* name : {"decode_stream", "prefill_hopper"}) {
    const KernelSource parent = seed(Dialect::cuda, "composite");
    const KernelSource mate = seed(Dialect::cuda, name);
    for (const auto& [queries, keys] : {std::pair{1, 64},
                                        {1, 1024},
                                        {1, 4096},
                                        {1, 32768},
                                        {128, 128},
                                        {512, 512},
                                        {2048, 2048},
                                        {8192, 8192}}) {
      testing::CallShape shape;
      shape.Lq = queries;
      shape.Lk = keys;
      shape.Hq = 16;
      shape.Hkv = 8;
      shape.D = 128;
      shape.causal = queries > 1;
      SCOPED_TRACE(name + (" at " + testing::to_string(shape)));
      const auto theirs =
          resolve(mate, signature, testing::to_shape(shape), limits);
      if (!theirs) continue;  // a decode kernel, and no decode
      const KernelSource child = with_variant(parent, mate, theirs->variant);
      const auto plan =
          resolve(child, signature, testing::to_shape(shape), limits);
      ASSERT_TRUE(plan) << plan.error().message;
      EXPECT_EQ(plan->variant, 0U);
      EXPECT_EQ(launches_of(*plan), launches_of(*theirs));
      const auto& cuda = child.plan().variants[0].launches[0].cuda;
      const auto& before =
          mate.plan().variants[theirs->variant].launches[0].cuda;
      EXPECT_EQ(cuda.min_blocks.evaluate(plan->constants).value(),
                before.min_blocks.evaluate(theirs->constants).value());
      ++compared;
    }
  }
  EXPECT_GT(compared, 8U);
}

}  // namespace
}  // namespace evoke
