#include "evoke/devices/metal/mlx_utilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.h"

namespace evoke::metal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MlxUtilities, PutsEveryHeaderOnceAndBeforeWhatNeedsIt) {
  const test::TemporaryFolder folder;
  const std::string kernels = "mlx/backend/metal/kernels/";
  std::filesystem::create_directories(folder.file(kernels));
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.file(kernels + name)) << text;
  };
  write("a.h", "#pragma once\n#include <metal_stdlib>\nint a;\n");
  write("b.h", "#pragma once\n#include \"" + kernels + "a.h\"\nint b;\n");
  write("utils.h", "#pragma once\n#include \"" + kernels +
                       "a.h\"\n#include \"" + kernels + "b.h\"\nint u;\n");
  const auto text = mlx_utilities(folder.path());
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "#line 1 \"" + kernels +
                       "a.h\"\n#include <metal_stdlib>\nint a;\n#line 1 \"" +
                       kernels + "b.h\"\nint b;\n#line 1 \"" + kernels +
                       "utils.h\"\nint u;\n");
  EXPECT_FALSE(mlx_utilities(folder.path() + "/nowhere"));
}

#ifdef EVOKE_MLX_INCLUDE
TEST(MlxUtilities, AreInTheWheel) {
  const auto text = mlx_utilities(EVOKE_MLX_INCLUDE);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("using namespace metal"));
  EXPECT_THAT(*text, HasSubstr("typedef half float16_t"));
  EXPECT_THAT(*text, HasSubstr("struct Limits"));
  EXPECT_THAT(*text, Not(HasSubstr("#include \"")));
  EXPECT_THAT(*text, Not(HasSubstr("#pragma once")));
}
#endif

}  // namespace
}  // namespace evoke::metal
