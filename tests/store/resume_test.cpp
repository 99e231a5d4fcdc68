// A search that records into a run on disk, killed at random points and
// resumed each time, is step by step the search that was never interrupted.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "evoke/store/run_store.h"
#include "tests/evolution/simulation.h"
#include "tests/store/support.h"

namespace evoke {
namespace {

using simulation::Landscape;
using simulation::SimulatedRun;
using test::TemporaryFolder;

EvolutionConfig config_of(uint64_t seed, int workers) {
  auto config = simulation::small_config(seed, workers);
  config.proposals_ahead = workers / 2;
  config.budget.iterations = 250;
  return config;
}

// Goes on with the run in the folder, or makes it. Tells each recorded step.
// Returns false when something is not as it should be.
template <typename Tell>
bool search_on_disk(const std::string& folder, const EvolutionConfig& config,
                    Tell tell) {
  auto store = RunStore::open_for_resume(folder);
  if (!store && store.error().kind == ErrorKind::absent) {
    store = RunStore::create(folder, {});
  }
  if (!store) return false;
  Evolution evolution(config, simulation::founders());
  bool replayed = true;
  const auto read = (*store)->each_step([&](Step&& step) {
    replayed = evolution.replay(step).has_value();
    return replayed;
  });
  if (!read || !replayed || evolution.diverged_at() != 0) return false;
  SimulatedRun run(evolution, Landscape{});
  for (bool going = true; going;) {
    going = run.pump();
    if (going) run.arrive();
    for (const Step& step : run.steps) {
      (*store)->record(step);
      tell(step.sequence);
    }
    run.steps.clear();
  }
  return true;
}

class KilledSearch : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(KilledSearch, IsTheSearchThatWasNeverInterrupted) {
  const auto [seed, workers] = GetParam();
  const auto config = config_of(static_cast<uint64_t>(seed), workers);
  SimulatedRun whole(config, simulation::founders(), Landscape{});
  whole.run();

  const TemporaryFolder folder;
  Rng rng(static_cast<uint64_t>(seed));
  bool finished = false;
  int kills = 0;
  for (int64_t next_kill = 1; !finished; ++kills) {
    ASSERT_LT(kills, 200);
    next_kill += static_cast<int64_t>(rng.below(45));
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_ends[0]);
      const bool good =
          search_on_disk(folder / "run", config, [&](int64_t sequence) {
            if (write(pipe_ends[1], &sequence, sizeof(sequence)) < 0) _exit(2);
          });
      _exit(good ? 0 : 1);
    }
    close(pipe_ends[1]);
    int64_t told = 0;
    while (told < next_kill &&
           read(pipe_ends[0], &told, sizeof(told)) == sizeof(told)) {
    }
    usleep(static_cast<useconds_t>(rng.below(1500)));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    close(pipe_ends[0]);
    ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    finished = !WIFSIGNALED(status);
    next_kill = std::max(next_kill, told);
  }
  EXPECT_GT(kills, 4);

  const auto store = RunStore::open_for_reading(folder / "run");
  ASSERT_TRUE(store.has_value()) << store.error().message;
  const auto steps = test::steps_of(**store);
  ASSERT_EQ(steps.size(), whole.steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    ASSERT_EQ(simulation::text_of(steps[i]),
              simulation::text_of(whole.steps[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(SeedsWorkers, KilledSearch,
                         testing::Values(std::pair{1, 1}, std::pair{2, 3},
                                         std::pair{3, 8}));

}  // namespace
}  // namespace evoke
