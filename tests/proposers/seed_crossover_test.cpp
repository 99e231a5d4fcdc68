// The seeds that evoke carries, crossed with each other: the children
// compile, and compute attention.
#include <gtest/gtest.h>

#include <array>
#include <string_view>

#include "evoke/devices/embedded_kernels.h"
#include "evoke/devices/registry.h"
#include "evoke/proposers/parameters/parameters_proposer.h"
#include "tests/devices/attention_call.h"

namespace evoke {
namespace {

Exemplar seed(CandidateId id, std::string_view name) {
  Exemplar exemplar;
  exemplar.candidate.id = id;
  for (const EmbeddedKernel& kernel : embedded_kernels(Dialect::cpu)) {
    if (kernel.path.find(name) == kernel.path.npos) continue;
    exemplar.candidate.text =
        KernelSource::parse(kernel.text, Dialect::cpu, "seed.cpp")->text();
  }
  EXPECT_FALSE(exemplar.candidate.text.empty()) << name;
  return exemplar;
}

class SeedCrossover
    : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(SeedCrossover, GivesAKernelThatIsRight) {
  ParametersProposer proposer({.dialect = Dialect::cpu});
  ProposalRequest request;
  request.operation = "variant_crossover";
  request.parent = seed(1, GetParam().first);
  request.inspirations = {seed(2, GetParam().second)};
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

}  // namespace
}  // namespace evoke
