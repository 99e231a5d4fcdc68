#include "evoke/evaluation/judge/profiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"
#include "tests/support/temporary_folder.h"

namespace evoke::judge {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::SizeIs;

class ProfilerRunnerTest : public ::testing::Test {
 protected:
  // Stands for ncu: runs what its command line names after its own options,
  // then does as told; $log is the file asked for.
  std::string profiler(const std::string& then) {
    const std::string path = folder_.file("ncu");
    std::ofstream(path) << "#!/bin/sh\n"
                           "echo \"$@\" >\"" +
                               folder_.file("asked") + "\"\n" +
                               R"(while [ "${1##*/}" != evoke_runner ]; do
  [ "$1" = --log-file ] && log=$2
  [ "$1" = --launch-count ] && count=$2
  shift
done
"$@"
status=$?
)" + then + "\nexit $status\n";
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }

  RunnerResult<std::vector<LaunchProfile>> profile(
      const std::string& program,
      const std::string& text = test::honest_kernel()) {
    test::Court& court = test::Court::shared();
    const Shape shape = test::small_workload().shapes[0].shape;
    const auto build = court.build(text, {shape});
    return profile_call(court.bench(), *build, shape, program);
  }

  test::TemporaryFolder folder_;
};

constexpr const char* kWrites = R"(cat >"$log" <<END
==PROF== Connected to process $$ (evoke_runner)
"ID","Kernel Name","dram__bytes_read.sum","lts__t_bytes.sum"
"","","byte","byte"
"0","evoke_run_attend","$count,024","4,096"
==PROF== Disconnected from process $$
END)";

TEST_F(ProfilerRunnerTest, RunsOneCallOfTheKernelUnderIt) {
  const auto launches = profile(profiler(kWrites));
  ASSERT_TRUE(launches) << launches.error().message;
  ASSERT_THAT(*launches, SizeIs(1));
  EXPECT_EQ(launches->front().kernel, "attend");
  EXPECT_DOUBLE_EQ(*launches->front().dram_read_bytes, 1024);  // one launch
  EXPECT_DOUBLE_EQ(*launches->front().l2_bytes, 4096);
  std::ifstream file(folder_.file("asked"));
  const std::string asked{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(asked, HasSubstr("--kernel-name regex:^evoke_run_"));
  EXPECT_THAT(asked, HasSubstr("--section WarpStateStats"));
}

TEST_F(ProfilerRunnerTest, SaysWhatTheProfilerSays) {
  const auto refused = profile(
      profiler("echo '==ERROR== ERR_NVGPUCTRPERM - no permission' >\"$log\""));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, RunnerFault::Kind::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("ERR_NVGPUCTRPERM"));
  // It printed instead of writing a log.
  const auto printed = profile(profiler("echo '==ERROR== no log'"));
  ASSERT_FALSE(printed);
  EXPECT_THAT(printed.error().message, HasSubstr("no log"));
}

TEST_F(ProfilerRunnerTest, AProfilerThatDoesNotStartIsAFault) {
  EXPECT_FALSE(profile(folder_.file("nowhere")));
  const std::string path = folder_.file("ends");
  std::ofstream(path) << "#!/bin/sh\nexit 3\n";
  fs::permissions(path, fs::perms::owner_all);
  EXPECT_FALSE(profile(path));
}

TEST_F(ProfilerRunnerTest, WhatIsWrongIsNotProfiled) {
  test::KernelOptions wrong;
  wrong.result = "acc[d] * 1.5f";
  const auto launches = profile(profiler(kWrites), test::make_kernel(wrong));
  ASSERT_FALSE(launches);
  EXPECT_EQ(launches.error().kind, RunnerFault::Kind::refused);
}

TEST_F(ProfilerRunnerTest, KeepsTheHeaviestShapesForTheRecord) {
  test::Court& court = test::Court::shared();
  Workload workload = test::small_workload({64, 96, 128, 160, 400});
  workload.shapes[1].weight = 3;
  workload.shapes[4].weight = 2;  // longer than the kernel takes
  const Json rows = profile_heaviest(court.bench(), test::honest_kernel(),
                                     workload, profiler(kWrites));
  ASSERT_THAT(rows, SizeIs(3));
  EXPECT_EQ(rows[0]["shape"], workload.shapes[1].shape.name);
  EXPECT_EQ(rows[0]["launches"][0]["kernel"], "attend");
  EXPECT_EQ(rows[0]["launches"][0]["l2_bytes"], 4096);
  EXPECT_EQ(rows[1]["shape"], workload.shapes[4].shape.name);
  EXPECT_FALSE(rows[1].contains("launches"));
  EXPECT_FALSE(rows[1]["missing"].get<std::string>().empty());
  EXPECT_EQ(rows[2]["shape"], workload.shapes[0].shape.name);
}

TEST(ProfilerTest, IsFoundWhereItIsSaidToBeLookedFor) {
  const test::TemporaryFolder folder;
  const std::string bin = folder.file("bin");
  fs::create_directory(bin);
  const std::string program = bin + "/ncu";
  ::setenv("EVOKE_CUDA_BIN", bin.c_str(), 1);
  EXPECT_NE(find_profiler(), program);
  std::ofstream(program) << "#!/bin/sh\n";
  EXPECT_NE(find_profiler(), program);  // no program yet
  fs::permissions(program, fs::perms::owner_all);
  EXPECT_EQ(find_profiler(), program);
  ::unsetenv("EVOKE_CUDA_BIN");
  EXPECT_NE(find_profiler(), program);
  ::setenv("CUDA_HOME", folder.path().c_str(), 1);
  EXPECT_EQ(find_profiler(), program);
  ::unsetenv("CUDA_HOME");
  for (const char* place : {"EVOKE_CUDA_BIN", "CUDA_HOME/bin", "CUDA_PATH/bin",
                            "/usr/local/cuda/bin", "nsight-compute"}) {
    EXPECT_THAT(profiler_missing(), HasSubstr(place));
  }
}

}  // namespace
}  // namespace evoke::judge
