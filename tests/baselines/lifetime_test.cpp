// What the contract says beside the numbers: memory is read anew, calls come
// and go, any thread may be the one thread.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "tests/baselines/naive_attention.h"

namespace evoke::baselines::testing {
namespace {

class Lifetime : public ::testing::TestWithParam<std::string> {};

constexpr Sizes kDecode{.Lk = 96, .capacity = 256};
constexpr Sizes kPrefill{.Lq = 40, .Lk = 40, .causal = true, .capacity = 64};

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

TEST_P(Lifetime, ReadsTheBoundMemoryInEveryRun) {
  OPEN_OR_SKIP(baseline, GetParam(), 2);
  for (const Sizes& sizes : {kDecode, kPrefill}) {
    Problem problem(sizes, 1);
    const Result<CallId> call =
        baseline.prepare(problem.shape(), problem.tensors());
    ASSERT_TRUE(call) << call.error().message;
    ASSERT_TRUE(baseline.run({&*call, 1}, true));
    problem.fill(2);
    ASSERT_TRUE(baseline.run({&*call, 1}, true));
    EXPECT_LE(problem.worst_row_error(), 2e-2);
  }
}

TEST_P(Lifetime, RunsManyCallsInOneGo) {
  OPEN_OR_SKIP(baseline, GetParam(), 2);
  std::vector<std::unique_ptr<Problem>> problems;
  std::vector<CallId> calls;
  for (unsigned seed = 1; seed <= 6; ++seed) {
    problems.push_back(
        std::make_unique<Problem>(seed % 2 == 0 ? kDecode : kPrefill, seed));
    const Result<CallId> call =
        baseline.prepare(problems.back()->shape(), problems.back()->tensors());
    ASSERT_TRUE(call) << call.error().message;
    calls.push_back(*call);
  }
  ASSERT_TRUE(baseline.run(calls, false));
  ASSERT_TRUE(baseline.run(calls, true));
  for (const auto& problem : problems) {
    EXPECT_LE(problem->worst_row_error(), 2e-2);
  }
}

TEST_P(Lifetime, RepeatsItselfBitwise) {
  OPEN_OR_SKIP(baseline, GetParam(), 2);
  for (const Sizes& sizes : {kDecode, kPrefill}) {
    Problem first(sizes, 1);
    Problem second(sizes, 1);
    for (Problem* problem : {&first, &second}) {
      const Result<CallId> call =
          baseline.prepare(problem->shape(), problem->tensors());
      ASSERT_TRUE(call) << call.error().message;
      ASSERT_TRUE(baseline.run({&*call, 1}, true));
      baseline.release(*call);
    }
    EXPECT_EQ(first.output().memory(), second.output().memory());
  }
}

TEST_P(Lifetime, NeedsOnlyToReadItsInputs) {
  OPEN_OR_SKIP(baseline, GetParam(), 2);
  for (const Sizes& sizes : {kDecode, kPrefill}) {
    Problem problem(sizes);
    std::vector<BoundTensor> tensors = problem.tensors();
    struct Mapping {
      void* address;
      std::size_t bytes;
    };
    std::vector<Mapping> mappings;
    const Tensor* sources[] = {&problem.query(), &problem.key(),
                               &problem.value()};
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t bytes = 2 * sources[i]->memory().size();
      void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      ASSERT_NE(address, MAP_FAILED);
      std::memcpy(address, sources[i]->memory().data(), bytes);
      ASSERT_EQ(::mprotect(address, bytes, PROT_READ), 0);
      tensors[i].data = static_cast<std::byte*>(address) + 2 * Tensor::kGuard;
      mappings.push_back({address, bytes});
    }
    const Result<CallId> call = baseline.prepare(problem.shape(), tensors);
    ASSERT_TRUE(call) << call.error().message;
    ASSERT_TRUE(baseline.run({&*call, 1}, true));
    EXPECT_LE(problem.worst_row_error(), 2e-2);
    baseline.release(*call);
    for (const Mapping& mapping : mappings) {
      ::munmap(mapping.address, mapping.bytes);
    }
  }
}

TEST_P(Lifetime, AnyThreadMayUseIt) {
  OPEN_OR_SKIP(baseline, GetParam(), 2);
  Problem problem(kPrefill);
  Result<CallId> call = failed("not prepared");
  Result<void> ran = failed("not run");
  std::thread([&] {
    call = baseline.prepare(problem.shape(), problem.tensors());
  }).join();
  ASSERT_TRUE(call) << call.error().message;
  std::thread([&] { ran = baseline.run({&*call, 1}, true); }).join();
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_LE(problem.worst_row_error(), 2e-2);
}

TEST_P(Lifetime, ReleasedCallsAreRefused) {
  OPEN_OR_SKIP(baseline, GetParam(), 2);
  Problem problem(kDecode);
  const Result<CallId> call =
      baseline.prepare(problem.shape(), problem.tensors());
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_FALSE(baseline.path_of(*call).empty());
  baseline.release(*call);
  const Result<void> ran = baseline.run({&*call, 1}, true);
  ASSERT_FALSE(ran);
  EXPECT_NE(ran.error().message.find("no prepared call"), std::string::npos);
  EXPECT_TRUE(baseline.path_of(*call).empty());
}

TEST_P(Lifetime, BadTensorsAreRefused) {
  OPEN_OR_SKIP(baseline, GetParam(), 2);
  Problem problem(kDecode);
  std::vector<BoundTensor> tensors = problem.tensors();
  tensors.pop_back();
  const Result<CallId> call = baseline.prepare(problem.shape(), tensors);
  ASSERT_FALSE(call);
  EXPECT_NE(call.error().message.find("output"), std::string::npos);
}

TEST_P(Lifetime, PreparingAndReleasingKeepsNoMemory) {
#if defined(EVOKE_ASAN) || defined(EVOKE_TSAN)
  GTEST_SKIP() << "the sanitizer keeps memory of its own";
#endif
  OPEN_OR_SKIP(baseline, GetParam(), 2);
  // 1 MB of output and more in between: a kept call shows.
  Problem problem({.Lq = 256, .Lk = 256, .causal = true});
  const auto cycle = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const Result<CallId> call =
          baseline.prepare(problem.shape(), problem.tensors());
      ASSERT_TRUE(call) << call.error().message;
      ASSERT_TRUE(baseline.run({&*call, 1}, true));
      baseline.release(*call);
    }
  };
  cycle(5);
  const int64_t before = resident_bytes();
  cycle(40);
  EXPECT_LT(resident_bytes() - before, 20 << 20);
}

TEST_P(Lifetime, OpensAgainAfterItWasClosed) {
  for (int i = 0; i < 3; ++i) {
    OPEN_OR_SKIP(baseline, GetParam(), 1 + i % 2);
    EXPECT_EQ(baseline.name(), GetParam());
    EXPECT_FALSE(baseline.version().empty());
    Problem problem(kDecode);
    const Result<CallId> call =
        baseline.prepare(problem.shape(), problem.tensors());
    ASSERT_TRUE(call) << call.error().message;
    ASSERT_TRUE(baseline.run({&*call, 1}, true));
    EXPECT_LE(problem.worst_row_error(), 2e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(Baselines, Lifetime,
                         ::testing::ValuesIn(known_baselines()),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name) {
                             if (c == '-') c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace evoke::baselines::testing
