#include "evoke/store/sqlite.h"

#include <gtest/gtest.h>

#include "tests/store/support.h"

namespace evoke {
namespace {

using test::TemporaryFolder;

TEST(Sqlite, ReadsWhatWasBound) {
  const TemporaryFolder folder;
  auto database = Database::open(folder / "a.db", Database::Mode::create);
  ASSERT_TRUE(database.has_value()) << database.error().message;
  ASSERT_TRUE(database->execute("CREATE TABLE t (a INT, b REAL, c TEXT)"));
  auto insert = database->prepare("INSERT INTO t VALUES (?1, ?2, ?3)");
  ASSERT_TRUE(insert.has_value());
  ASSERT_TRUE(
      insert->bind(1, int64_t{1} << 62).bind(2, 0.1).bind(3, "x").run());
  ASSERT_TRUE(insert->bind(1, 2).bind_null(2).bind(3, "").run());
  EXPECT_EQ(insert->rows_changed(), 1);
  auto select = database->prepare("SELECT * FROM t");
  ASSERT_TRUE(select->step().value());
  EXPECT_EQ(select->integer(0), int64_t{1} << 62);
  EXPECT_EQ(select->real(1), 0.1);
  EXPECT_EQ(select->text(2), "x");
  ASSERT_TRUE(select->step().value());
  EXPECT_TRUE(select->is_null(1));
  EXPECT_FALSE(select->is_null(2));
  EXPECT_FALSE(select->step().value());
  ASSERT_TRUE(select->step().value()) << "it can be used again";
  EXPECT_EQ(database->number("SELECT count(*) FROM t").value(), 2);
}

TEST(Sqlite, ErrorsNameTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.db";
  EXPECT_EQ(Database::open(path, Database::Mode::read).error().kind,
            ErrorKind::absent);
  auto database = Database::open(path, Database::Mode::create);
  ASSERT_TRUE(database.has_value());
  for (const auto& message :
       {database->execute("CREATE TABEL t").error().message,
        database->prepare("SELECT * FROM nothing").error().message,
        database->number("SELECT x").error().message}) {
    EXPECT_NE(message.find(path), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_FALSE(database->out_of_space());
  auto statement = database->prepare("SELECT 1");
  EXPECT_FALSE(statement->bind(7, 1).step().has_value()) << "no parameter 7";
}

// Names that a URI would take for something else.
TEST(Sqlite, AFrozenFileMayHaveAnyName) {
  const TemporaryFolder folder;
  const std::string path = folder / "100% run?mode=rw#1.db";
  {
    auto database = Database::open(path, Database::Mode::create);
    ASSERT_TRUE(database.has_value());
    ASSERT_TRUE(database->execute("CREATE TABLE t (a INT)"));
  }
  auto database = Database::open(path, Database::Mode::frozen);
  ASSERT_TRUE(database.has_value()) << database.error().message;
  EXPECT_EQ(database->number("SELECT count(*) FROM t").value(), 0);
  EXPECT_FALSE(database->execute("INSERT INTO t VALUES (1)").has_value());
}

}  // namespace
}  // namespace evoke
