// Runs of older formats: read as they are, raised when they are resumed.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "evoke/base/atomic_file.h"
#include "evoke/store/schema.h"
#include "evoke/store/sqlite.h"
#include "tests/store/support.h"

namespace evoke::test {
namespace {

class Format1Run : public testing::Test {
 protected:
  Format1Run() {
    std::ifstream file(EVOKE_TEST_FOLDER "/format_1.sql");
    std::stringstream sql;
    sql << file.rdbuf();
    auto database = Database::open(folder_ / "run.db", Database::Mode::create);
    EXPECT_TRUE(database->execute(sql.str()).has_value())
        << database->error_text();
    EXPECT_TRUE(write_file_atomically(folder_ / "config.toml", to_toml({}))
                    .has_value());
  }
  int64_t version() const {
    auto database = Database::open(folder_ / "run.db", Database::Mode::read);
    return *database->number("PRAGMA user_version");
  }
  // What format 1 could hold of it.
  static std::string step_as_written(int64_t sequence) {
    Step step = make_step(sequence);
    step.candidate.strategies.clear();
    step.candidate.cost = {};
    return everything(step);
  }
  TemporaryFolder folder_;
};

TEST_F(Format1Run, IsReadWithoutBeingChanged) {
  const auto store = RunStore::open_for_reading(folder_.path());
  ASSERT_TRUE(store.has_value()) << store.error().message;
  const auto steps = steps_of(**store);
  ASSERT_EQ(steps.size(), 4U);
  for (const Step& step : steps) {
    EXPECT_EQ(everything(step), step_as_written(step.sequence));
  }
  EXPECT_EQ((*store)->spent_usd().value(), 0);
  EXPECT_EQ(version(), 1);
}

TEST_F(Format1Run, GoesOnInTheFormatOfToday) {
  {
    const auto store = RunStore::open_for_resume(folder_.path());
    ASSERT_TRUE(store.has_value()) << store.error().message;
    record_steps(**store, 5, 8);
    LlmCall call;
    call.model = "m";
    call.cost_usd = 0.25;
    (*store)->record_call(call);
  }
  EXPECT_EQ(version(), kSchemaVersion);
  const auto store = RunStore::open_for_reading(folder_.path());
  ASSERT_TRUE(store.has_value());
  const auto steps = steps_of(**store);
  ASSERT_EQ(steps.size(), 8U);
  for (const Step& step : steps) {
    EXPECT_EQ(everything(step), step.sequence <= 4
                                    ? step_as_written(step.sequence)
                                    : everything(make_step(step.sequence)));
  }
  EXPECT_EQ((*store)->spent_usd().value(), 0.25);
}

}  // namespace
}  // namespace evoke::test
