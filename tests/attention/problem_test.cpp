#include "evoke/attention/problem.h"

#include <gtest/gtest.h>

#include <thread>

#include "evoke/attention/roofline.h"
#include "tests/attention/attention_fixtures.h"

namespace evoke::attention {
namespace {

TEST(AttentionProblem, SpeaksTheVocabularyOfKernelFiles) {
  const auto problem = make_attention_problem();
  const ProblemSignature& signature = problem->signature();
  EXPECT_EQ(signature.name, "attention");
  ASSERT_EQ(signature.tensors.size(), 4U);
  EXPECT_EQ(signature.tensors[kOutput].name, "output");
  EXPECT_TRUE(signature.tensors[kOutput].output);
  EXPECT_FALSE(signature.tensors[kKey].output);
  // Every letter and scalar of a shape, and nothing else.
  const Shape shape = to_shape(small_shape(1, 1));
  std::size_t letters = 0;
  for (const auto* names : {&signature.constants, &signature.sizes}) {
    for (const std::string& name : *names) {
      EXPECT_TRUE(shape.values.contains(name)) << name;
      ++letters;
    }
  }
  EXPECT_EQ(letters, shape.values.size());
  EXPECT_EQ(signature.scalars.size(), shape.scalars.size());
}

TEST(AttentionProblem, PreparesFromSeveralThreads) {
  const auto problem = make_attention_problem();
  const GateCase gate_case{to_shape(small_shape(4, 80, true)), "blend",
                           "cache"};
  std::vector<std::shared_ptr<const PreparedCase>> cases(3);
  std::vector<std::thread> threads;
  for (auto& slot : cases) {
    threads.emplace_back([&] { slot = problem->prepare(gate_case, 5); });
  }
  for (std::thread& thread : threads) thread.join();
  const auto& first = dynamic_cast<const AttentionCase&>(*cases[0]);
  const auto output = right_output(first);
  for (const auto& each : cases) {
    EXPECT_EQ(each->check(output).verdict, CheckVerdict::right);
    EXPECT_EQ(each->gate_case().label(), gate_case.label());
  }
}

TEST(Roofline, CountsEveryTensorOnce) {
  AttentionShape shape;  // decode, 16:8 heads of 128
  shape.Lk = 4096;
  WorkEstimate work = work_of(shape);
  EXPECT_EQ(work.bytes, 2.0 * (2 * 16 * 128 + 2 * 8 * 4096 * 128));
  EXPECT_EQ(work.flops, 4.0 * 16 * 4096 * 128);
  shape.Lq = shape.Lk = 64;
  shape.causal = true;
  work = work_of(shape);
  EXPECT_EQ(work.flops, 4.0 * 16 * (64 * 65 / 2) * 128);
  EXPECT_EQ(make_attention_problem()->work(to_shape(shape)).flops, work.flops);
}

}  // namespace
}  // namespace evoke::attention
