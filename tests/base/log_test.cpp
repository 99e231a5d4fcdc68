#include "evoke/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"

namespace evoke {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Log, RefusesAnUnknownLevel) {
  EXPECT_THROW(set_log_level("loud"), UsageError);
}

TEST(Log, WritesToItsFileFromTheLevelOn) {
  const std::string path =
      testing::TempDir() + "/log_test." + std::to_string(::getpid());
  add_log_file(path);
  set_log_level("warn");
  log_info("too quiet");
  log_warn("loud enough {}");  // braces are text, not a format
  const auto text = read_file(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("warning loud enough {}"));
  EXPECT_THAT(*text, Not(HasSubstr("too quiet")));
}

}  // namespace
}  // namespace evoke
