#include "evoke/proposers/llm/api_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/temporary_folder.h"

namespace evoke::llm {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kKey[] = "sk-very-secret-0123456789";

std::string key_file(const evoke::test::TemporaryFolder& folder,
                     const std::string& text, mode_t mode) {
  const std::string path = folder.file("key");
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
  return path;
}

TEST(ApiKey, ComesFromTheEnvironment) {
  ::setenv("EVOKE_TEST_KEY", kKey, 1);
  const auto key = ApiKey::from_environment("EVOKE_TEST_KEY");
  ::unsetenv("EVOKE_TEST_KEY");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->header(), std::string("Authorization: Bearer ") + kKey);
  EXPECT_EQ(key->origin(), "EVOKE_TEST_KEY");
  const auto none = ApiKey::from_environment("EVOKE_TEST_KEY");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::absent);
}

TEST(ApiKey, ComesFromAFileThatOnlyItsOwnerReads) {
  const evoke::test::TemporaryFolder folder;
  const auto path = key_file(folder, std::string(kKey) + "\r\nnote\n", 0600);
  const auto key = ApiKey::from_file(path);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_THAT(key->header(), testing::EndsWith(kKey));

  for (const mode_t mode : {0644, 0640, 0604, 0660}) {
    const auto refused = ApiKey::from_file(key_file(folder, kKey, mode));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("chmod 600"));
    EXPECT_THAT(refused.error().message, Not(HasSubstr(kKey)));
  }
  EXPECT_EQ(ApiKey::from_file(folder.file("none")).error().kind,
            ErrorKind::absent);
  EXPECT_FALSE(ApiKey::from_file(key_file(folder, "\n", 0600)));
}

TEST(ApiKey, RefusesWhatWouldEndTheHeader) {
  const evoke::test::TemporaryFolder folder;
  for (const char* text :
       {"two words", "quo\"te", "b\\s", "tab\tbed", "\x80"}) {
    const auto refused = ApiKey::from_file(key_file(folder, text, 0600));
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().message, Not(HasSubstr(text)));
  }
}

TEST(ApiKey, IsBlottedOut) {
  const evoke::test::TemporaryFolder folder;
  const auto key = ApiKey::from_file(key_file(folder, kKey, 0600)).value();
  std::string text = std::string("a ") + kKey + kKey + " b";
  key.hide_in(text);
  EXPECT_EQ(text, "a [key][key] b");
  const auto none = ApiKey::from_file(key_file(folder, "none", 0600)).value();
  std::string plain = "none of these";
  none.hide_in(plain);
  EXPECT_EQ(plain, "none of these");
}

}  // namespace
}  // namespace evoke::llm
