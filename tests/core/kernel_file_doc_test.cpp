// The example of docs/kernel-file.md is a valid kernel file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/base/fd.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "tests/core/example_kernel.h"

namespace evoke {
namespace {

std::string documented_example() {
  const auto page =
      read_file(std::string(EVOKE_SOURCE_FOLDER) + "/docs/kernel-file.md");
  EXPECT_TRUE(page);
  const std::string fence = "```cpp\n";
  const std::size_t begin = page->find(fence) + fence.size();
  return page->substr(begin, page->find("```", begin) - begin);
}

TEST(KernelFileDoc, TheExampleIsAValidKernelFile) {
  const auto kernel =
      KernelSource::parse(documented_example(), Dialect::cpu, "example.cpp");
  ASSERT_TRUE(kernel) << kernel.error().message;
  const auto allowed = check_forbidden_text(*kernel);
  EXPECT_TRUE(allowed) << allowed.error().message;
  for (const int64_t q_len : {1, 64}) {
    for (const int64_t kv_len : {64, 4097}) {
      const auto plan = resolve(*kernel, example_signature(),
                                example_shape(q_len, kv_len), DeviceLimits{});
      ASSERT_TRUE(plan) << plan.error().message;
      EXPECT_EQ(plan->variant, q_len == 1 && kv_len >= 256 ? 0U : 1U);
    }
  }
}

}  // namespace
}  // namespace evoke
