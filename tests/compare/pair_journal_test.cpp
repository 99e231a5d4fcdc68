#include "evoke/compare/pair_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/compare/samples.h"
#include "tests/support/temporary_folder.h"

namespace evoke::compare {
namespace {

using ::testing::HasSubstr;

const Json kIdentity = {{"model", "m"}, {"pairs", 2}};

class PairJournalTest : public ::testing::Test {
 protected:
  PairJournal open(const Json& identity = kIdentity) {
    auto journal = PairJournal::open(folder_.file("out"), identity);
    if (!journal) throw std::runtime_error(journal.error().message);
    return std::move(*journal);
  }
  std::string path() const { return folder_.file("out/pairs.jsonl"); }
  std::string content() const { return *read_file(path()); }
  void replace(const std::string& text) const {
    std::ofstream(path(), std::ios::binary) << text;
  }
  test::TemporaryFolder folder_;
};

TEST_F(PairJournalTest, RemembersWhatWasFinished) {
  {
    PairJournal journal = open();
    EXPECT_TRUE(journal.pairs().empty());
    ASSERT_TRUE(journal.add(pair("a", 0, 20, 25)));
    ASSERT_TRUE(journal.add({"a", 1, false, sample(21, false), {}}));
    ASSERT_TRUE(journal.add_agreement("a", {{"mean_kl", 0.5}}));
  }
  const PairJournal journal = open();
  ASSERT_EQ(journal.pairs().size(), 2U);
  EXPECT_EQ(to_json(journal.pairs()[0]), to_json(pair("a", 0, 20, 25)));
  EXPECT_FALSE(journal.pairs()[1].kernel);
  EXPECT_EQ(journal.agreements().at("a")["mean_kl"], 0.5);
}

TEST_F(PairJournalTest, LosesNoMoreThanTheLineThatWasCut) {
  {
    PairJournal journal = open();
    ASSERT_TRUE(journal.add(pair("a", 0, 20, 25)));
    ASSERT_TRUE(journal.add(pair("a", 1, 20, 25)));
  }
  const std::string whole = content();
  const std::size_t first = whole.find('\n') + 1;
  const std::size_t second = whole.find('\n', first) + 1;
  for (std::size_t length = 0; length <= whole.size(); length += 7) {
    replace(whole.substr(0, length));
    std::size_t expected = length >= second ? 1 : 0;
    if (length == whole.size()) expected = 2;
    {
      PairJournal journal = open();
      ASSERT_EQ(journal.pairs().size(), expected) << length;
      ASSERT_TRUE(journal.add(pair("b", 0, 20, 25)));
    }
    ASSERT_EQ(open().pairs().size(), expected + 1) << length;
  }
}

TEST_F(PairJournalTest, RefusesAnotherComparison) {
  open();
  const auto other =
      PairJournal::open(folder_.file("out"), {{"model", "n"}, {"pairs", 2}});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("choose another --output-dir"));
}

TEST_F(PairJournalTest, RefusesDamage) {
  {
    PairJournal journal = open();
    ASSERT_TRUE(journal.add(pair("a", 0, 20, 25)));
  }
  const std::string whole = content();
  replace(whole + "{\"scenario\": 3}\n");
  auto damaged = PairJournal::open(folder_.file("out"), kIdentity);
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("pairs.jsonl:3: "));
  replace("other\n" + whole);
  damaged = PairJournal::open(folder_.file("out"), kIdentity);
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("pairs.jsonl:1: "));
}

}  // namespace
}  // namespace evoke::compare
