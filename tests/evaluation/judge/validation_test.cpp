#include "evoke/evaluation/judge/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"
#include "tests/support/temporary_folder.h"

namespace evoke::judge {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

// Stands for a tool: a shell that starts what its arguments name.
ValidationTool shell(const std::string& script) {
  return {"memcheck", {"/bin/sh", "-c", script, "sh"}, {"EVOKE_TOOL=on"}};
}
constexpr const char* kReport =
    "echo '========= COMPUTE-SANITIZER'; "
    "echo '========= Invalid __global__ read of size 2 bytes'; "
    "echo '=========     at attend+0x90'; "
    "echo 'what the runner prints'; "
    "echo '========= ERROR SUMMARY: 1 error'; exit 86";

class ValidationRunnerTest : public ::testing::Test {
 protected:
  Validators::Verdict judge(const ValidationTool& tool,
                            const std::string& text = test::honest_kernel()) {
    test::Court& court = test::Court::shared();
    const Workload workload = test::small_workload();
    auto build = court.build(text);
    std::vector<Shape> shapes;
    for (GateCase& each : court.problem().gate_cases(build->source(), workload,
                                                     GateLevel::screen)) {
      shapes.push_back(std::move(each.shape));
    }
    EXPECT_FALSE(test::value_of(court.bench().compile(*build, shapes)));
    Validators validators({tool});
    return test::value_of(validators.judge(court.bench(), *build, workload,
                                           test::honest_kernel()));
  }
  // Of kernels by turn, as a pattern of the shell: the reference, the
  // candidate, and after a complaint the reference on the candidate's cases.
  ValidationTool complaining_of(const std::string& turns) const {
    const std::string seen = folder_.path() + "/seen";
    return shell("echo >> " + seen + "; case $(wc -l < " + seen + ") in " +
                 turns + ") \"$@\"; " + kReport + ";; *) exec \"$@\";; esac");
  }
  test::TemporaryFolder folder_;
};

TEST_F(ValidationRunnerTest, AToolThatFindsNothingIsClean) {
  const auto verdict =
      judge(shell("[ $EVOKE_TOOL = on ] || exit 86; exec \"$@\""));
  EXPECT_FALSE(verdict.complaint);
  EXPECT_EQ(verdict.said.at("memcheck"), "clean");
}

TEST_F(ValidationRunnerTest, AComplaintEndsTheJudging) {
  // Content with the reference, on its own cases and on the candidate's.
  const auto verdict = judge(complaining_of("2"));
  ASSERT_TRUE(verdict.complaint);
  EXPECT_TRUE(verdict.complaint->out_of_bounds);
  EXPECT_EQ(verdict.complaint->message,
            "memcheck: Invalid __global__ read of size 2 bytes\n"
            "    at attend+0x90");
  EXPECT_EQ(verdict.said.at("memcheck"), verdict.complaint->message);
}

// What only fails under a tool (it changes where memory lies) fails.
TEST_F(ValidationRunnerTest, AWrongAnswerUnderTheToolCountsWithoutItsReport) {
  test::KernelOptions wrong;
  wrong.after = "  out[0] = 7;";
  const auto verdict = judge(shell("exec \"$@\""), test::make_kernel(wrong));
  ASSERT_TRUE(verdict.complaint);
  EXPECT_FALSE(verdict.complaint->out_of_bounds);
  EXPECT_THAT(verdict.complaint->message, StartsWith("under memcheck: "));
}

TEST_F(ValidationRunnerTest, AToolThatComplainsOfTheReferenceIsNotUsed) {
  const auto verdict = judge(shell(std::string("\"$@\"; ") + kReport));
  EXPECT_FALSE(verdict.complaint);
  EXPECT_THAT(verdict.said.at("memcheck"),
              StartsWith("not used: it complains of the reference: memcheck"));
}

// The reference's own cases are not the candidate's: racecheck took a barrier
// for none only where a block has several tiles.
TEST_F(ValidationRunnerTest, AComplaintThatTheReferenceSharesIsNone) {
  const auto verdict = judge(complaining_of("[23]"));
  EXPECT_FALSE(verdict.complaint);
  EXPECT_THAT(verdict.said.at("memcheck"),
              StartsWith("not used: on the same cases it complains of the "
                         "reference: "));
}

TEST_F(ValidationRunnerTest, AToolThatDoesNotStartIsNotUsed) {
  for (const ValidationTool& tool :
       {ValidationTool{"memcheck", {"/nowhere/compute-sanitizer"}, {}},
        shell("exit 255")}) {
    const auto verdict = judge(tool);
    EXPECT_FALSE(verdict.complaint);
    EXPECT_THAT(verdict.said.at("memcheck"), StartsWith("not used: "));
  }
}

TEST(ValidationToolTest, OnlyWhatTheToolSaysIsAComplaint) {
  const ValidationTool memcheck{"memcheck", {"compute-sanitizer"}, {}};
  WatchedEnd end;
  end.output = "========= Invalid __global__ read of size 2 bytes\n";
  EXPECT_THAT(complaint_of(memcheck, end), IsEmpty());
  end.status.code = 1;  // the runner's own
  EXPECT_THAT(complaint_of(memcheck, end), IsEmpty());
  end.status.code = 86;
  EXPECT_THAT(complaint_of(memcheck, end), HasSubstr("Invalid __global__"));
  end.output.clear();
  EXPECT_THAT(complaint_of(memcheck, end), Not(IsEmpty()));
}

TEST(ValidationToolTest, ShaderValidationAborts) {
  protocol::Greeting mac;
  mac.device_kind = "metal";
  EXPECT_THAT(validation_tools(mac), IsEmpty());  // on the host
  mac.own_memory = true;
  const auto tools = validation_tools(mac);
  ASSERT_THAT(tools, SizeIs(1));
  EXPECT_THAT(tools[0].launcher, IsEmpty());
  EXPECT_THAT(tools[0].environment,
              testing::Contains("MTL_SHADER_VALIDATION=1"));
  WatchedEnd end;
  end.output = "Invalid device load executing kernel function \"attend\"\n";
  EXPECT_THAT(complaint_of(tools[0], end), IsEmpty());
  end.status.signal = SIGABRT;
  EXPECT_THAT(complaint_of(tools[0], end), HasSubstr("Invalid device load"));
}

TEST(ValidationToolTest, ComputeSanitizerIsUsedWhereItIsInstalled) {
  const test::TemporaryFolder folder;
  ::setenv("EVOKE_CUDA_BIN", folder.path().c_str(), 1);
  const std::string program = folder.path() + "/compute-sanitizer";
  protocol::Greeting gpu;
  gpu.device_kind = "cuda";
  EXPECT_NE(find_compute_sanitizer(), program);
  std::ofstream(program) << "#!/bin/sh\n";
  fs::permissions(program, fs::perms::owner_all);
  EXPECT_EQ(find_compute_sanitizer(), program);
  const auto tools = validation_tools(gpu);
  ::unsetenv("EVOKE_CUDA_BIN");
  ASSERT_THAT(tools, SizeIs(4));
  EXPECT_EQ(tools[1].name, "racecheck");
  EXPECT_EQ(tools[1].launcher.front(), program);
  gpu.device_kind = "cpu";
  EXPECT_THAT(validation_tools(gpu), IsEmpty());
}

}  // namespace
}  // namespace evoke::judge
