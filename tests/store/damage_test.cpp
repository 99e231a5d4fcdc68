// Runs that a disk, a person or another program has damaged: read as far as
// they are whole, or refused with one line; never a wrong step.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "evoke/base/fd.h"
#include "evoke/base/rng.h"
#include "tests/store/support.h"

namespace evoke {
namespace {

using test::everything;
using test::make_step;
using test::record_steps;
using test::steps_of;
using test::TemporaryFolder;

constexpr int64_t kSteps = 30;

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void execute(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

void expect_one_line(const std::string& message, const std::string& folder) {
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_NE(message.find(folder), std::string::npos) << message;
  EXPECT_GT(message.size(), folder.size() + 5) << message;
}

class DamagedRun : public testing::Test {
 protected:
  DamagedRun() {
    auto store = RunStore::create(run_, {});
    EXPECT_TRUE(store.has_value());
    record_steps(**store, 1, kSteps);
  }

  // The steps before the damage are right; what is said of it is one line.
  void expect_right_or_refused(bool resuming = false) const {
    const auto store = resuming ? RunStore::open_for_resume(run_)
                                : RunStore::open_for_reading(run_);
    if (!store) return expect_one_line(store.error().message, run_);
    std::string error;
    const auto steps = steps_of(**store, &error);
    if (!error.empty()) expect_one_line(error, run_);
    ASSERT_LE(steps.size(), static_cast<std::size_t>(kSteps));
    for (std::size_t i = 0; i < steps.size(); ++i) {
      ASSERT_EQ(everything(steps[i]),
                everything(make_step(static_cast<int64_t>(i) + 1)));
    }
    // Whatever else may be asked must not fall over.
    static_cast<void>((*store)->summary());
    static_cast<void>((*store)->facts());
    static_cast<void>((*store)->step_of(7));
  }

  std::string refusal(bool resuming) const {
    const auto store = resuming ? RunStore::open_for_resume(run_)
                                : RunStore::open_for_reading(run_);
    if (store) return "it was opened";
    expect_one_line(store.error().message, run_);
    return store.error().message;
  }

  const TemporaryFolder folder_;
  const std::string run_ = folder_ / "run";
  const std::string database_ = folder_ / "run/run.db";
};

TEST_F(DamagedRun, CutAtAnyLength) {
  const std::string whole = read_file(database_).value();
  for (std::size_t length = 0; length < whole.size(); length += 4001) {
    std::filesystem::remove(database_ + "-wal");
    std::filesystem::remove(database_ + "-shm");
    write_file(database_, whole.substr(0, length));
    expect_right_or_refused();
    if (HasFatalFailure()) return;
  }
}

TEST_F(DamagedRun, AnyByteChanged) {
  const std::string whole = read_file(database_).value();
  Rng rng(1);
  for (int round = 0; round < 400; ++round) {
    std::string changed = whole;
    changed[rng.below(changed.size())] ^= static_cast<char>(1 << rng.below(8));
    std::filesystem::remove(database_ + "-wal");
    std::filesystem::remove(database_ + "-shm");
    write_file(database_, changed);
    expect_right_or_refused(round % 2 == 0);
    if (HasFatalFailure()) return;
  }
}

TEST_F(DamagedRun, AnyByteOfTheLogChanged) {
  const TemporaryFolder copy;
  std::string log;
  {
    auto store = RunStore::open_for_resume(run_);
    ASSERT_TRUE(store.has_value());
    record_steps(**store, kSteps + 1, kSteps + 5);
    // As a killed process leaves it.
    std::filesystem::copy(run_, copy / "run");
    log = read_file(copy / "run/run.db-wal").value();
  }
  ASSERT_GT(log.size(), 10'000u);
  Rng rng(2);
  for (int round = 0; round < 50; ++round) {
    const TemporaryFolder place;
    std::filesystem::copy(copy / "run", place / "run");
    std::string changed = log;
    changed[rng.below(changed.size())] ^= 4;
    write_file(place / "run/run.db-wal", changed);
    std::filesystem::remove(place / "run/run.db-shm");
    const auto store = RunStore::open_for_resume(place / "run");
    ASSERT_TRUE(store.has_value()) << store.error().message;
    const auto steps = steps_of(**store);
    ASSERT_GE(steps.size(), static_cast<std::size_t>(kSteps));
    for (std::size_t i = 0; i < steps.size(); ++i) {
      ASSERT_EQ(everything(steps[i]),
                everything(make_step(static_cast<int64_t>(i) + 1)));
    }
  }
}

TEST_F(DamagedRun, RowsThatWereEditedOrTakenAway) {
  const std::string whole = read_file(database_).value();
  for (const char* sql :
       {"UPDATE outcomes SET record = replace(record, '0.2', '0.3') WHERE "
        "sequence = 8",
        "UPDATE outcomes SET elapsed_s = 1 WHERE sequence = 8",
        "UPDATE measurements SET record = replace(record, '1.1', '2.1') "
        "WHERE sequence = 8",
        "UPDATE candidates SET text = 'better' WHERE id = 8",
        "UPDATE candidates SET parents = '[5]' WHERE id = 8",
        "UPDATE candidates SET summary = 'x', checksum = 0 WHERE id = 8",
        "UPDATE events SET detail = '{}' WHERE sequence = 8",
        "DELETE FROM measurements WHERE sequence = 8",
        "DELETE FROM events WHERE sequence = 8",
        "DELETE FROM outcomes WHERE sequence = 8",
        "DELETE FROM candidates WHERE id = 8"}) {
    write_file(database_, whole);
    execute(database_, sql);
    const auto store = RunStore::open_for_reading(run_);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    std::string error;
    EXPECT_EQ(steps_of(**store, &error).size(), 7u) << sql;
    EXPECT_NE(error.find("step 8"), std::string::npos) << sql << ": " << error;
    expect_one_line(error, run_);
  }
}

TEST_F(DamagedRun, AConfigThatCannotBeRead) {
  write_file(run_ + "/config.toml", "workers = [\n");
  EXPECT_NE(refusal(true).find("config.toml"), std::string::npos);
  std::filesystem::remove(run_ + "/config.toml");
  EXPECT_NE(refusal(true).find("config.toml"), std::string::npos);
}

TEST_F(DamagedRun, WhatIsNoRun) {
  const auto missing = RunStore::open_for_reading(folder_ / "nothing");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
  std::filesystem::create_directory(folder_ / "empty");
  const auto empty = RunStore::open_for_reading(folder_ / "empty");
  ASSERT_FALSE(empty.has_value());
  EXPECT_NE(empty.error().message.find("no run.db"), std::string::npos);

  write_file(database_, std::string(5000, 'x'));
  EXPECT_NE(refusal(true).find("not an intact"), std::string::npos);
  write_file(database_, "");
  EXPECT_NE(refusal(false).find("not a run"), std::string::npos);
  std::filesystem::remove(database_);
  std::filesystem::create_directory(database_);
  EXPECT_NE(refusal(false), "it was opened");
}

TEST_F(DamagedRun, AnotherFormatVersion) {
  execute(database_, "PRAGMA user_version=7");
  EXPECT_NE(refusal(true).find("version 7"), std::string::npos);
  EXPECT_NE(refusal(true).find("newer evoke"), std::string::npos);
}

// limit_size() stands for a full disk elsewhere; here is one.
TEST(FullDisk, LosesNothingAndSaysSo) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting a small disk needs root";
  const TemporaryFolder folder;
  const std::string disk = folder / "disk";
  std::filesystem::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=400k") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs here: " << std::strerror(errno);
  }
  int64_t recorded = 0;
  std::string message;
  {
    auto store = RunStore::create(disk + "/run", {});
    EXPECT_TRUE(store.has_value());
    try {
      for (; store && recorded < 10000; ++recorded) {
        (*store)->record(make_step(recorded + 1));
      }
    } catch (const StartupError& error) {
      message = error.what();
    }
    const auto best =
        (*store)->write_best(make_step(1), ".cpp", std::string(1'000'000, ' '));
    EXPECT_FALSE(best.has_value());
  }
  EXPECT_NE(message.find("no space left"), std::string::npos) << message;
  EXPECT_NE(message.find("--resume"), std::string::npos) << message;
  EXPECT_GT(recorded, 10);
  EXPECT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  {
    auto store = RunStore::open_for_resume(disk + "/run");
    EXPECT_TRUE(store.has_value());
    if (store) {
      EXPECT_EQ(static_cast<int64_t>(steps_of(**store).size()), recorded);
      (*store)->record(make_step(recorded + 1));
    }
  }
  umount(disk.c_str());
}

}  // namespace
}  // namespace evoke
