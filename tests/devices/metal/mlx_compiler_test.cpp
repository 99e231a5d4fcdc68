#include "evoke/devices/metal/mlx_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evoke/devices/metal/artifact.h"
#include "metal_kernels.h"
#include "recording_backend.h"

namespace evoke::metal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

CompileReply compiled(testing::Recording& recording, const std::string& text) {
  MlxCompiler compiler(std::make_unique<testing::RecordingBackend>(recording));
  const auto kernel = KernelSource::parse(text, Dialect::metal, "k.metal");
  EXPECT_TRUE(kernel) << kernel.error().message;
  return compiler.compile(*kernel, testing::metal_signature(),
                          {0, testing::metal_constants()});
}

TEST(MlxCompiler, HasEveryKernelCompiled) {
  testing::Recording recording;
  const CompileReply reply = compiled(recording, testing::kTwoLaunches);
  EXPECT_EQ(reply.status, CompileReply::Status::ok);
  EXPECT_THAT(recording.compiled, ElementsAre("partial", "finish"));
  EXPECT_EQ(from_artifact(reply.artifact)->kernels.size(), 2u);
}

TEST(MlxCompiler, SaysWhichKernelDoesNotCompile) {
  testing::Recording recording;
  recording.compile_error = "assigning to 'bfloat' from 'float'";
  const CompileReply reply = compiled(recording, testing::kTwoLaunches);
  EXPECT_EQ(reply.status, CompileReply::Status::failed);
  EXPECT_EQ(reply.diagnostics,
            "KERNEL(partial): assigning to 'bfloat' from 'float'");
}

// Linux: built, linked, and honest about what is missing.
TEST(MlxBackend, OpensWhereThereIsMetal) {
  const auto backend = open_mlx_backend();
#ifdef __APPLE__
  ASSERT_TRUE(backend) << backend.error().message;
#else
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().kind, ErrorKind::absent);
#ifdef EVOKE_HAS_MLX
  EXPECT_TRUE(has_mlx_backend());
  EXPECT_THAT(backend.error().message, HasSubstr("no Metal"));
#endif
#endif
}

}  // namespace
}  // namespace evoke::metal
