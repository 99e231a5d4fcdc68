#include "evoke/devices/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

namespace evoke::cpu {
namespace {

// Adds one to each cell that a part stands for; and checks that the task
// before is finished.
struct Count {
  std::vector<int>* cells = nullptr;
  const std::vector<int>* before = nullptr;
  int expected = 0;
  std::atomic<int>* wrong = nullptr;
};

void count_part(const void* context, uint64_t begin, uint64_t end, std::byte*) {
  const auto& count = *static_cast<const Count*>(context);
  for (uint64_t i = begin; i < end; ++i) ++(*count.cells)[i];
  if (count.before == nullptr) return;
  for (const int cell : *count.before) {
    if (cell != count.expected) count.wrong->fetch_add(1);
  }
}

class ThreadPoolTest : public ::testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, EveryPartRunsOnceAndTasksInOrder) {
  ThreadPoolOptions options;
  options.num_threads = GetParam();
  options.memory_bytes = 4096;
  ThreadPool pool(options);
  EXPECT_EQ(pool.num_threads(), GetParam());
  for (const uint64_t size : {0u, 1u, 3u, 64u, 1000u}) {
    std::vector<int> first(size, 0);
    std::vector<int> second(size + 7, 0);
    std::atomic<int> wrong{0};
    for (int run = 1; run <= 100; ++run) {
      const Count one{&first, nullptr, 0, &wrong};
      const Count two{&second, &first, run, &wrong};
      const PoolTask tasks[] = {{count_part, &one, first.size()},
                                {count_part, &two, second.size()}};
      pool.run(tasks, 0);
    }
    EXPECT_EQ(wrong.load(), 0);
    EXPECT_EQ(std::count(first.begin(), first.end(), 100),
              static_cast<int64_t>(size));
    EXPECT_EQ(std::count(second.begin(), second.end(), 100),
              static_cast<int64_t>(size + 7));
  }
}

TEST_P(ThreadPoolTest, ManyShortRuns) {
  ThreadPoolOptions options;
  options.num_threads = GetParam();
  options.memory_bytes = 4096;
  ThreadPool pool(options);
  std::vector<int> cells(5, 0);
  const Count count{&cells, nullptr, 0, nullptr};
  const std::vector<PoolTask> tasks(10, {count_part, &count, cells.size()});
  for (int run = 0; run < 500; ++run) pool.run(tasks, 64);
  pool.run({}, 0);
  EXPECT_EQ(std::count(cells.begin(), cells.end(), 5000), 5);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest,
                         ::testing::Values(1, 2, 3, 8));

// Threads' memory holds NaN at the start of every run, and belongs to one
// thread at a time.
struct Probe {
  std::size_t bytes = 0;
  std::atomic<int>* wrong = nullptr;
};
void probe_part(const void* context, uint64_t, uint64_t, std::byte* memory) {
  const auto& probe = *static_cast<const Probe*>(context);
  if (reinterpret_cast<uintptr_t>(memory) % 64 != 0) probe.wrong->fetch_add(1);
  for (std::size_t i = 0; i < probe.bytes; ++i) {
    if (memory[i] != std::byte{0xff}) probe.wrong->fetch_add(1);
  }
}
void dirty_part(const void* context, uint64_t, uint64_t, std::byte* memory) {
  const auto& probe = *static_cast<const Probe*>(context);
  std::memset(memory, 42, probe.bytes);
}

TEST(ThreadPool, NothingSurvivesInMemory) {
  ThreadPoolOptions options;
  options.num_threads = 3;
  options.memory_bytes = 1 << 16;
  ThreadPool pool(options);
  std::atomic<int> wrong{0};
  const Probe probe{1 << 16, &wrong};
  for (int run = 0; run < 20; ++run) {
    const PoolTask look{probe_part, &probe, 64};
    pool.run({&look, 1}, 1 << 16);
    const PoolTask dirty{dirty_part, &probe, 64};
    pool.run({&dirty, 1}, 1 << 16);
  }
  EXPECT_EQ(wrong.load(), 0);
}

// Whoever touches more memory than the run declares ends there.
TEST(ThreadPoolDeathTest, MoreMemoryThanDeclared) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::atomic<int> wrong{0};
  const Probe probe{5000, &wrong};
  const PoolTask dirty{dirty_part, &probe, 1};
  ThreadPoolOptions options;
  options.num_threads = 1;
  options.memory_bytes = 1 << 16;
  EXPECT_DEATH(
      {
        ThreadPool pool(options);
        pool.run({&dirty, 1}, 8192);
        pool.run({&dirty, 1}, 4096);
      },
      "");
}

// A call finds nothing of an earlier one deep in its stack.
struct Deep {
  std::atomic<int>* found = nullptr;
};
void deep_part(const void* context, uint64_t, uint64_t, std::byte*) {
  constexpr std::size_t kDepth = 512 * 1024;
  volatile std::byte frame[kDepth];
  asm volatile("" ::"r"(&frame) : "memory");
  const auto& deep = *static_cast<const Deep*>(context);
  if (frame[0] == std::byte{42}) deep.found->fetch_add(1);
  frame[0] = std::byte{42};
}

TEST(ThreadPool, NothingSurvivesInDeepStacks) {
  ThreadPoolOptions options;
  options.num_threads = 2;
  options.memory_bytes = 4096;
  ThreadPool pool(options);
  std::atomic<int> found{0};
  const Deep deep{&found};
  for (int run = 0; run < 20; ++run) {
    const PoolTask task{deep_part, &deep, 1};
    pool.run({&task, 1}, 0);
  }
  EXPECT_EQ(found.load(), 0);
}

TEST(ThreadPool, PoolsComeAndGo) {
  for (int i = 0; i < 50; ++i) {
    ThreadPoolOptions options;
    options.num_threads = 1 + i % 4;
    options.memory_bytes = 4096;
    ThreadPool pool(options);
    std::vector<int> cells(9, 0);
    const Count count{&cells, nullptr, 0, nullptr};
    const PoolTask task{count_part, &count, cells.size()};
    if (i % 2 == 0) pool.run({&task, 1}, 0);
    EXPECT_EQ(cells[8], i % 2 == 0 ? 1 : 0);
  }
}

}  // namespace
}  // namespace evoke::cpu
