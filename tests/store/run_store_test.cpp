#include "evoke/store/run_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <vector>

#include "evoke/base/fd.h"
#include "tests/store/support.h"

namespace evoke {
namespace {

using test::everything;
using test::make_step;
using test::record_steps;
using test::steps_of;
using test::TemporaryFolder;

TEST(RunStore, GivesBackExactlyWhatWasRecorded) {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  RunConfig config;
  config.rng_seed = 77;
  {
    auto store = RunStore::create(run, config);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    record_steps(**store, 1, 50);
  }
  auto store = RunStore::open_for_reading(run);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ((*store)->config().rng_seed, 77u);
  EXPECT_EQ((*store)->last_sequence(), 50);
  const auto steps = steps_of(**store);
  ASSERT_EQ(steps.size(), 50u);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(everything(steps[i]),
              everything(make_step(static_cast<int64_t>(i) + 1)));
  }
}

// What no JSON number and no text can be, a proposer or a clock may give.
TEST(RunStore, KeepsOddNumbersAndBytes) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  Step step = make_step(1);
  step.candidate.text = std::string("a\0b\xff", 4);
  step.candidate.summary = "\xc3\x28";
  step.outcome.message = "\xfe";
  step.outcome.measurements->shapes[0].candidate_us = std::nan("");
  step.outcome.measurements->shapes[0].pairs = {{HUGE_VAL, -HUGE_VAL}};
  step.outcome.fitness->low = -0.0;
  (*store)->record(step);
  const auto back = (*store)->step_of(1);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->candidate.text, step.candidate.text);
  EXPECT_EQ(back->candidate.summary, step.candidate.summary);
  EXPECT_EQ(everything(*back), everything(step));
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
  EXPECT_EQ((*store)->steps_of(1)->size(), 3u);
  EXPECT_TRUE((*store)->steps_of(99)->empty());
  const auto missing = (*store)->step_of(99);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
}

TEST(RunStore, RefusesAnotherCandidateUnderAKnownNumber) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  (*store)->record(make_step(1));
  Step other = make_step(2);
  other.candidate = make_step(1).candidate;
  other.candidate.summary = "rewritten";
  EXPECT_THROW((*store)->record(other), StartupError);
  (*store)->record(make_step(2));
  EXPECT_EQ(steps_of(**store).size(), 2u);
}

TEST(RunStore, RefusesGapsAndWritingToWhatIsRead) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  EXPECT_THROW((*store)->record(make_step(2)), UsageError);
  (*store)->record(make_step(1));
  EXPECT_THROW((*store)->record(make_step(1)), UsageError);
  auto reader = RunStore::open_for_reading(folder / "run");
  ASSERT_TRUE(reader.has_value());
  EXPECT_THROW((*reader)->record(make_step(2)), UsageError);
  EXPECT_THROW(static_cast<void>((*reader)->set_fact("a", 1)), UsageError);
}

TEST(RunStore, TheRunAndItsFirstFactsAppearTogether) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {}, {{"machine", "a b"}});
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->fact("machine").value(), "a b");
  ASSERT_TRUE((*store)->set_fact("finished", "2026-11-23T10:00:00Z"));
  ASSERT_TRUE((*store)->set_fact("machine", {{"cores", 2}}));
  EXPECT_EQ((*store)->facts().value(),
            Json({{"machine", {{"cores", 2}}},
                  {"finished", "2026-11-23T10:00:00Z"}}));
  EXPECT_EQ((*store)->fact("nothing").error().kind, ErrorKind::absent);
}

TEST(RunStore, SummarisesForStatus) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->best().error().kind, ErrorKind::absent);
  for (int64_t i = 1; i <= 6; ++i) {
    Step step = make_step(i);
    if (i == 4) step.effects.push_back({"best", {{"candidate", 4}}});
    (*store)->record(step);
  }
  const auto summary = (*store)->summary();
  ASSERT_TRUE(summary.has_value()) << summary.error().message;
  EXPECT_EQ(summary->steps, 6);
  EXPECT_EQ(summary->elapsed_s, make_step(6).elapsed_s);
  EXPECT_EQ(summary->counts[static_cast<std::size_t>(OutcomeKind::incorrect)],
            2);
  EXPECT_EQ(summary->best, 4);
  EXPECT_FALSE(summary->finished);
  EXPECT_EQ(summary->writer_pid, getpid());
  store->reset();
  const auto reader = RunStore::open_for_reading(folder / "run");
  EXPECT_EQ((*reader)->summary()->writer_pid, 0);
}

TEST(RunStore, ARevokedBestHandsOverToTheOneBefore) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  const auto revoked = [](int64_t id, int64_t best) {
    return Effect{"best_revoked", {{"candidate", id}, {"best", best}}};
  };
  const std::pair<Effect, int64_t> best_after[] = {
      {{"elite", {{"candidate", 1}}}, 0},
      {{"best", {{"candidate", 2}}}, 2},
      {{"elite", {{"candidate", 3}}}, 2},
      {{"best", {{"candidate", 4}}}, 4},
      {revoked(4, 2), 2},
      {revoked(2, 0), 0}};
  for (int64_t i = 1; i <= 6; ++i) {
    const auto& [effect, best] = best_after[i - 1];
    Step step = make_step(i);
    step.effects.push_back(effect);
    (*store)->record(step);
    EXPECT_EQ((*store)->summary()->best, best);
    if (best == 0) continue;
    EXPECT_EQ((*store)->best()->candidate.id, best);
  }
}

TEST(RunStore, WritesTheBest) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  const Step step = make_step(4);
  ASSERT_TRUE((*store)->write_best(step, ".cpp", "| a |\n"));
  EXPECT_EQ(read_file(folder / "run/best/kernel.cpp").value(), "text of 4");
  EXPECT_EQ(read_file(folder / "run/best/table.md").value(), "| a |\n");
  const Json info =
      Json::parse(read_file(folder / "run/best/info.json").value());
  EXPECT_EQ(info["run"], "run");
  EXPECT_EQ(info["candidate"], 4);
  EXPECT_EQ(info["outcome"], to_json(step.outcome));
  ASSERT_TRUE((*store)->clear_best());
  EXPECT_TRUE(std::filesystem::is_empty(folder / "run/best"));
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

TEST(RunStore, AReaderSeesOneMoment) {
  const TemporaryFolder folder;
  auto writer = RunStore::create(folder / "run", {});
  ASSERT_TRUE(writer.has_value());
  record_steps(**writer, 1, 5);
  auto reader = RunStore::open_for_reading(folder / "run");
  ASSERT_TRUE(reader.has_value());
  int64_t seen = 0;
  ASSERT_TRUE((*reader)->each_step([&](Step&&) {
    if (++seen == 3) record_steps(**writer, 6, 9);
    return true;
  }));
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(steps_of(**reader).size(), 9u);
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

TEST(RunStore, RefusesASecondWriterAndNamesTheFirst) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  for (const bool creating : {false, true}) {
    const auto second = creating ? RunStore::create(folder / "run", {})
                                 : RunStore::open_for_resume(folder / "run");
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().message.find(std::to_string(getpid())),
              std::string::npos)
        << second.error().message;
  }
  (*store)->record(make_step(1));
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
      const auto sequence = static_cast<int64_t>(i) + 1;
      ASSERT_EQ(everything(steps[i]), everything(make_step(sequence)));
    }
    (*store)->record(make_step(static_cast<int64_t>(steps.size()) + 1));
  }
}

// Killed while it makes the run: there is one, or there can be one.
TEST(RunStore, KilledWhileMakingARunLeavesARunOrNone) {
  for (int round = 0; round < 12; ++round) {
    const TemporaryFolder folder;
    const std::string run = folder / "run";
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = RunStore::create(run, {}, {{"machine", "m"}});
      pause();
    }
    usleep(static_cast<useconds_t>(1500 * round));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (const auto store = RunStore::open_for_resume(run)) {
      EXPECT_EQ((*store)->fact("machine").value(), "m");
      continue;
    } else {
      EXPECT_EQ(store.error().kind, ErrorKind::absent) << store.error().message;
    }
    const auto store = RunStore::create(run, {});
    EXPECT_TRUE(store.has_value()) << store.error().message;
  }
}

TEST(RunStore, AFullDiskLosesNothingAndTheStoreGoesOn) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  ASSERT_TRUE((*store)->limit_size(200'000));
  std::string message;
  int64_t recorded = 0;
  try {
    for (; recorded < 10000; ++recorded) {
      (*store)->record(make_step(recorded + 1));
    }
  } catch (const StartupError& error) {
    message = error.what();
  }
  EXPECT_GT(recorded, 10);
  EXPECT_EQ((*store)->last_sequence(), recorded);
  for (const char* part : {"no space left", "--resume", "was not recorded"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_FALSE((*store)->set_fact("large", std::string(100'000, 'x')));
  ASSERT_TRUE((*store)->limit_size(20'000'000));
  record_steps(**store, recorded + 1, recorded + 20);
  EXPECT_EQ(static_cast<int64_t>(steps_of(**store).size()), recorded + 20);
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
  EXPECT_EQ(latest_run(folder / "b").value(), folder / "b");
}

}  // namespace
}  // namespace evoke
