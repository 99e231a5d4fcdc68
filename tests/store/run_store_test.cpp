#include "evoke/store/run_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "evoke/base/fd.h"
#include "tests/store/support.h"

namespace evoke {
namespace {

using test::make_step;
using test::TemporaryFolder;

std::vector<Step> steps_of(const RunStore& store) {
  std::vector<Step> steps;
  const auto done = store.each_step([&](Step&& step) {
    steps.push_back(std::move(step));
    return true;
  });
  EXPECT_TRUE(done.has_value()) << done.error().message;
  return steps;
}

Json everything(const Step& step) {
  const Candidate& c = step.candidate;
  Json effects = Json::array();
  for (const auto& effect : step.effects) {
    effects.push_back({effect.kind, effect.detail});
  }
  return {step.sequence,
          step.elapsed_s,
          static_cast<int>(step.purpose),
          c.id,
          c.text,
          c.genome_hash,
          c.parents,
          c.inspirations,
          c.island,
          c.generation,
          c.proposer,
          c.operation,
          c.summary,
          to_json(step.outcome),
          effects};
}

TEST(RunStore, GivesBackExactlyWhatWasRecorded) {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  RunConfig config;
  config.rng_seed = 77;
  {
    auto store = RunStore::create(run, config);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    for (int64_t i = 1; i <= 50; ++i) (*store)->record(make_step(i));
  }
  auto store = RunStore::open_for_reading(run);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ((*store)->config().rng_seed, 77u);
  const auto steps = steps_of(**store);
  ASSERT_EQ(steps.size(), 50u);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(everything(steps[i]).dump(),
              everything(make_step(static_cast<int64_t>(i) + 1)).dump());
  }
}

TEST(RunStore, KeepsEveryStepOfACandidateAndFindsTheMeasuredOne) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  (*store)->record(make_step(1));
  Step again = make_step(1);
  again.sequence = 2;
  again.purpose = EvaluationPurpose::confirm;
  (*store)->record(again);
  Step failure = make_step(3);
  failure.candidate = make_step(1).candidate;
  failure.outcome.candidate = 1;
  (*store)->record(failure);
  const auto found = (*store)->step_of(1);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->sequence, 2);
  EXPECT_EQ(found->purpose, EvaluationPurpose::confirm);
  const auto missing = (*store)->step_of(99);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
}

TEST(RunStore, SummarisesForStatus) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  for (int64_t i = 1; i <= 6; ++i) {
    Step step = make_step(i);
    if (i == 4) step.effects.push_back({"best", {{"candidate", 4}}});
    (*store)->record(step);
  }
  ASSERT_TRUE((*store)->write_best(make_step(4), ".cpp", "| a |\n"));
  const auto summary = (*store)->summary();
  ASSERT_TRUE(summary.has_value()) << summary.error().message;
  EXPECT_EQ(summary->steps, 6);
  EXPECT_EQ(summary->counts[static_cast<std::size_t>(OutcomeKind::incorrect)],
            2);
  EXPECT_EQ(summary->best, 4);
  EXPECT_FALSE(summary->finished);
  EXPECT_EQ(read_file(folder / "run/best/kernel.cpp").value(), "text of 4");
}

TEST(RunStore, RefusesASecondWriterAndNamesTheFirst) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  const auto second = RunStore::open_for_resume(folder / "run");
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find(std::to_string(getpid())),
            std::string::npos)
      << second.error().message;
}

TEST(RunStore, ReadersSeeWhatTheWriterCommitted) {
  const TemporaryFolder folder;
  auto writer = RunStore::create(folder / "run", {});
  ASSERT_TRUE(writer.has_value());
  auto reader = RunStore::open_for_reading(folder / "run");
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  for (int64_t i = 1; i <= 5; ++i) {
    (*writer)->record(make_step(i));
    EXPECT_EQ(steps_of(**reader).size(), static_cast<std::size_t>(i));
  }
}

// A child records steps until it is killed; everything it said it had
// recorded is there afterwards, without a gap.
TEST(RunStore, SurvivesKillAtAnyMoment) {
  for (int round = 0; round < 12; ++round) {
    const TemporaryFolder folder;
    const std::string run = folder / "run";
    ASSERT_TRUE(RunStore::create(run, {}).has_value());
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = RunStore::open_for_resume(run);
      if (!store) _exit(1);
      for (int64_t i = 1;; ++i) {
        (*store)->record(make_step(i));
        if (write(pipe_ends[1], &i, sizeof(i)) != sizeof(i)) _exit(1);
      }
    }
    close(pipe_ends[1]);
    int64_t told = 0;
    // Killed somewhere in the middle of a later step.
    while (told < 5 + round * 7) {
      if (read(pipe_ends[0], &told, sizeof(told)) != sizeof(told)) break;
    }
    usleep(static_cast<useconds_t>(137 * round));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    while (read(pipe_ends[0], &told, sizeof(told)) == sizeof(told)) {
    }
    close(pipe_ends[0]);
    ASSERT_GE(told, 5 + round * 7);

    auto store = RunStore::open_for_resume(run);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    const auto steps = steps_of(**store);
    ASSERT_GE(static_cast<int64_t>(steps.size()), told);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      ASSERT_EQ(steps[i].sequence, static_cast<int64_t>(i) + 1);
    }
    (*store)->record(make_step(static_cast<int64_t>(steps.size()) + 1));
  }
}

TEST(RunStore, AFullDiskLosesNothingAndSaysSo) {
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

TEST(RunStore, RefusesWhatIsNoRun) {
  const TemporaryFolder folder;
  const auto missing = RunStore::open_for_reading(folder / "nothing");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
  std::filesystem::create_directory(folder / "empty");
  const auto empty = RunStore::open_for_reading(folder / "empty");
  ASSERT_FALSE(empty.has_value());
  EXPECT_NE(empty.error().message.find("no run.db"), std::string::npos);

  std::filesystem::create_directory(folder / "garbage");
  std::ofstream(folder / "garbage/run.db") << std::string(5000, 'x');
  const auto garbage = RunStore::open_for_resume(folder / "garbage");
  ASSERT_FALSE(garbage.has_value());
  EXPECT_NE(garbage.error().message.find("not an intact"), std::string::npos)
      << garbage.error().message;
}

TEST(RunStore, RefusesAnotherFormatVersion) {
  const TemporaryFolder folder;
  ASSERT_TRUE(RunStore::create(folder / "run", {}).has_value());
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "run/run.db").c_str(), &database),
            SQLITE_OK);
  sqlite3_exec(database, "PRAGMA user_version=7", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  const auto store = RunStore::open_for_resume(folder / "run");
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().message.find("version 7"), std::string::npos);
}

TEST(RunStore, NeverWritesOverARun) {
  const TemporaryFolder folder;
  {
    ASSERT_TRUE(RunStore::create(folder / "run", {}).has_value());
  }
  const auto again = RunStore::create(folder / "run", {});
  ASSERT_FALSE(again.has_value());
  EXPECT_NE(again.error().message.find("--resume"), std::string::npos);
}

// Cut at any length, the database is read as a run or refused, never a crash
// or a wrong step.
TEST(RunStore, ReadsOrRefusesATruncatedDatabase) {
  const TemporaryFolder folder;
  {
    auto store = RunStore::create(folder / "run", {});
    ASSERT_TRUE(store.has_value());
    for (int64_t i = 1; i <= 30; ++i) (*store)->record(make_step(i));
  }
  const std::string path = folder / "run/run.db";
  const std::string whole = read_file(path).value();
  for (std::size_t length = 0; length < whole.size(); length += 4001) {
    std::filesystem::remove(path + "-wal");
    std::filesystem::remove(path + "-shm");
    std::ofstream(path, std::ios::binary) << whole.substr(0, length);
    const auto store = RunStore::open_for_reading(folder / "run");
    if (!store) continue;
    int64_t expected = 1;
    static_cast<void>((*store)->each_step([&](Step&& step) {
      EXPECT_EQ(everything(step).dump(),
                everything(make_step(expected)).dump());
      ++expected;
      return true;
    }));
  }
}

TEST(RunStore, FindsTheLatestRun) {
  const TemporaryFolder folder;
  EXPECT_FALSE(latest_run(folder.path()).has_value());
  {
    ASSERT_TRUE(RunStore::create(folder / "a", {}).has_value());
  }
  {
    ASSERT_TRUE(RunStore::create(folder / "b", {}).has_value());
  }
  std::filesystem::last_write_time(
      folder / "a/run.db",
      std::filesystem::last_write_time(folder / "b/run.db") +
          std::chrono::seconds(5));
  EXPECT_EQ(latest_run(folder.path()).value(), folder / "a");
}

}  // namespace
}  // namespace evoke
