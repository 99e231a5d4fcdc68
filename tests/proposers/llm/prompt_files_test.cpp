#include "evoke/proposers/llm/prompt_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "evoke/proposers/llm/llm_proposer.h"
#include "tests/support/temporary_folder.h"

namespace evoke::llm {
namespace {

using testing::HasSubstr;

TEST(PromptFiles, HaveATextForEachOperation) {
  const PromptFiles files;
  for (const std::string& operation : LlmProposer::operations()) {
    EXPECT_THAT(files.at(operation).names(), testing::Contains("parent"))
        << operation;
  }
  EXPECT_THAT(files.at("system").names(),
              testing::IsSupersetOf({"contract", "dialect_rules", "answer"}));
  EXPECT_THROW(files.at("nothing"), std::out_of_range);
}

TEST(PromptFiles, UsersFilesTakeTheirPlace) {
  const evoke::test::TemporaryFolder folder;
  std::ofstream(folder.file("improve.txt")) << "Faster: {{parent}}";
  std::ofstream(folder.file("notes.md")) << "not a prompt";
  const auto files = PromptFiles::with_folder(folder.path());
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->at("improve").fill({{"parent", "x"}}), "Faster: x");
  EXPECT_EQ(files->at("explore").fill({}),
            PromptFiles().at("explore").fill({}));
}

TEST(PromptFiles, AnIncludedFileIsReplacedEverywhere) {
  const evoke::test::TemporaryFolder folder;
  std::ofstream(folder.file("context.txt")) << "CONTEXT";
  const auto files = PromptFiles::with_folder(folder.path());
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_THAT(files->at("simplify").fill({}), HasSubstr("CONTEXT"));
}

TEST(PromptFiles, MistakesAreNamed) {
  const evoke::test::TemporaryFolder folder;
  const auto error = [&](const char* name, const char* text) {
    std::ofstream(folder.file(name)) << text;
    const auto files = PromptFiles::with_folder(folder.path());
    std::filesystem::remove(folder.file(name));
    return files ? std::string("none") : files.error().message;
  };
  EXPECT_THAT(error("improv.txt", "x"), HasSubstr("did you mean 'improve'"));
  EXPECT_THAT(error("improve.txt", "{{parrent}}"),
              HasSubstr("improve.txt:1: unknown name 'parrent' (did you mean "
                        "'parent'"));
  EXPECT_THAT(error("improve.txt", "\xff"), HasSubstr("UTF-8"));
  EXPECT_FALSE(PromptFiles::with_folder(folder.file("none")));
}

TEST(PromptFiles, CanBeWrittenAndReadBack) {
  const evoke::test::TemporaryFolder folder;
  ASSERT_TRUE(PromptFiles::write_to(folder.file("prompts")));
  ASSERT_TRUE(PromptFiles::with_folder(folder.file("prompts")));
  const auto again = PromptFiles::write_to(folder.file("prompts"));
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("is there already"));
}

}  // namespace
}  // namespace evoke::llm
