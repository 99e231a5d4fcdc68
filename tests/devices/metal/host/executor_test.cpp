// What kernels compute in the executor: thread attributes, simd functions,
// barriers, threadgroup memory, atomics, matrices.
#include "evoke/devices/metal/host/executor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "trial.h"

namespace evoke::testing {
namespace {

std::vector<float> output_of(const Trial& trial) {
  const TrialResult result = run_trial(trial);
  EXPECT_EQ(result.verdict(), "clean")
      << (result.findings.empty() ? result.compiled.diagnostics
                                  : result.findings.front().message);
  return result.output;
}

TEST(Executor, CopiesFloatsByThread) {
  Trial trial;
  trial.threadgroups = {2, 1, 1};
  trial.body =
      "const uint i = thread_position_in_grid.x;\n"
      "output[i] = x[i] * scale;";
  const auto output = output_of(trial);
  for (int i = 0; i < trial.size; ++i) {
    EXPECT_EQ(output[static_cast<std::size_t>(i)], trial_input(i) * 0.5F);
  }
}

TEST(Executor, RunsSimdFunctionsOverLanes) {
  Trial trial;
  trial.body = R"(
  const uint lane = thread_index_in_simdgroup;
  const float one = float(lane) + 1.0f;
  float r = 0.0f;
  if (lane < 32) {
    switch (thread_position_in_threadgroup.x & 0) { default: break; }
  }
  const float sum = simd_sum(one);
  const float most = simd_max(one);
  const float least = simd_min(-one);
  const float left = simd_shuffle_xor(one, 1);
  const float down = simd_shuffle_down(one, 4);
  const float up = simd_shuffle_up(one, 4);
  const float prefix = simd_prefix_inclusive_sum(one);
  const float before = simd_prefix_exclusive_sum(one);
  const float third = simd_broadcast(one, 2);
  const bfloat16_t half_sum = simd_sum(bfloat16_t(1.0f));
  const bool all = simd_all(lane < 32), any = simd_any(lane == 40);
  const float4 moved = simd_shuffle_xor(float4(one), 3);
  output[lane] = sum == 528.0f && most == 32.0f && least == -32.0f &&
      left == float(lane ^ 1) + 1.0f &&
      down == (lane < 28 ? one + 4.0f : one) &&
      up == (lane < 4 ? one : one - 4.0f) &&
      prefix == before + one && third == 3.0f && half_sum == 32 && all && !any &&
      moved.w == float(lane ^ 3) + 1.0f ? 1.0f : r;
  output[lane + 32] = prefix;)";
  const auto output = output_of(trial);
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(output[i], 1.0F) << i;
    EXPECT_EQ(output[i + 32], static_cast<float>((i + 1) * (i + 2)) / 2);
  }
}

TEST(Executor, SumsThroughThreadgroupMemoryAndBarriers) {
  Trial trial;
  trial.threads = {64, 1, 1};
  trial.body = R"(
  threadgroup float part[64], total;
  const uint t = thread_index_in_threadgroup;
  part[t] = x[t];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint half_width = 32; half_width > 0; half_width /= 2) {
    if (t < half_width) part[t] += part[t + half_width];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (t == 0) total = part[0];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  output[t] = total;)";
  float sum = 0;
  for (int i = 0; i < 64; ++i) sum += trial_input(i);
  for (const float each : output_of(trial)) EXPECT_FLOAT_EQ(each, sum);
}

TEST(Executor, MultipliesMatrices) {
  Trial trial;
  trial.body = R"(
  threadgroup float a[64];
  const uint t = thread_index_in_threadgroup;
  a[t] = x[t];
  a[t + 32] = x[t + 32];
  simdgroup_barrier(mem_flags::mem_threadgroup);
  simdgroup_float8x8 left, right, product = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  simdgroup_load(left, a, 8);
  simdgroup_load(right, x, 8, ulong2(0, 0), true);
  simdgroup_multiply_accumulate(product, left, right, product);
  simdgroup_store(product, output, 8);)";
  const auto output = output_of(trial);
  for (int r = 0; r < 8; ++r) {
    for (int c = 0; c < 8; ++c) {
      float sum = 0;
      for (int k = 0; k < 8; ++k) {
        sum += trial_input(r * 8 + k) * trial_input(c * 8 + k);
      }
      EXPECT_FLOAT_EQ(output[static_cast<std::size_t>(r * 8 + c)], sum);
    }
  }
}

TEST(Executor, CountsWithAtomics) {
  Trial trial;
  trial.threads = {64, 1, 1};
  trial.body = R"(
  threadgroup atomic_uint count;
  const uint t = thread_index_in_threadgroup;
  if (t == 0) atomic_store_explicit(&count, 0u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_add_explicit(&count, t, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  output[t] = float(atomic_load_explicit(&count, memory_order_relaxed));)";
  for (const float each : output_of(trial)) EXPECT_EQ(each, 2016.0F);
}

TEST(Executor, RunsPartialSimdgroupsAndManyThreadgroups) {
  Trial trial;
  trial.threadgroups = {4, 2, 1};
  trial.threads = {4, 2, 1};
  trial.body = R"(
  const uint i = threadgroup_position_in_grid.y * 32 +
      threadgroup_position_in_grid.x * 8 + thread_index_in_threadgroup;
  output[i] = simd_sum(1.0f) + float(simdgroups_per_threadgroup) * 10.0f +
      float(threads_per_threadgroup.x) * 100.0f +
      float(threadgroups_per_grid.x) * 1000.0f;)";
  for (const float each : output_of(trial)) EXPECT_EQ(each, 4418.0F);
}

TEST(Executor, RoundsBfloatAsMetalDoes) {
  Trial trial;
  trial.body = R"(
  const uint i = thread_index_in_threadgroup;
  bfloat16_t a = bfloat16_t(1.00390625f);
  a += bfloat16_t(0.5f);
  output[i] = a;
  output[i + 32] = float(bfloat16_t(x[i])) + exp(y[i]) - exp(y[i]);)";
  const auto output = output_of(trial);
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(output[static_cast<std::size_t>(i)], 1.5F);
    EXPECT_EQ(output[static_cast<std::size_t>(i) + 32], trial_input(i));
  }
}

TEST(Executor, RunsLaunchesInOrder) {
  Trial trial;
  trial.threadgroups = {2, 1, 1};
  trial.body = "s[thread_position_in_grid.x] = x[thread_position_in_grid.x];";
  trial.second_body =
      "const uint i = thread_position_in_grid.x;\n"
      "output[i] = s[i] + s[63 - i];";
  const auto output = output_of(trial);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(output[static_cast<std::size_t>(i)],
              trial_input(i) + trial_input(63 - i));
  }
}

}  // namespace
}  // namespace evoke::testing
