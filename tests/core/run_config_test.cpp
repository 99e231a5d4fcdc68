#include "evoke/core/run_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <string>

namespace evoke {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RunConfig config_of(std::string_view toml) {
  auto config = run_config_from_toml(toml, "run.toml", {});
  if (!config) throw std::runtime_error(config.error().message);
  return *config;
}

std::string config_error(std::string_view toml) {
  const auto config = run_config_from_toml(toml, "run.toml", {});
  EXPECT_FALSE(config) << toml;
  return config ? "" : config.error().message;
}

RunConfig unusual() {
  RunConfig config;
  config.device = "cuda";
  config.workload = "folder/my \"workload\".toml";
  config.held_out = "held";
  config.seeds = {"a.cpp", "b \\ c.cpp"};
  config.proposer = "replay";
  config.workers = 3;
  config.rng_seed = std::numeric_limits<uint64_t>::max();
  config.budget = {100, 0.1, 7, 1.0 / 3};
  config.islands = {2, 5, 3, 9};
  config.selection = {0.1, 0.2, 1e-7};
  config.features = {{"balance", -1.5, 2, 4, false},
                     {"code_bytes", 100, 1e6, 12, true}};
  config.timing = {4, 50, 0.25, int64_t{1} << 40, 0.125};
  return config;
}

TEST(RunConfig, WhatIsNotSaidKeepsItsValue) {
  RunConfig base;
  base.workers = 5;
  base.budget.patience = 9;
  const auto config = run_config_from_toml(
      "device = \"cpu\"\n[budget]\niterations = 3\n", "run.toml", base);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->device, "cpu");
  EXPECT_EQ(config->workers, 5);
  EXPECT_EQ(config->budget.iterations, 3);
  EXPECT_EQ(config->budget.patience, 9);
}

TEST(RunConfig, ReadsBackWhatItWrote) {
  for (const RunConfig& config : {RunConfig{}, unusual()}) {
    const std::string toml = to_toml(config);
    EXPECT_EQ(to_toml(config_of(toml)), toml);
  }
  const RunConfig back = config_of(to_toml(unusual()));
  EXPECT_EQ(back.device, "cuda");
  EXPECT_EQ(back.workload, "folder/my \"workload\".toml");
  EXPECT_EQ(back.held_out, "held");
  EXPECT_THAT(back.seeds, ElementsAre("a.cpp", "b \\ c.cpp"));
  EXPECT_EQ(back.proposer, "replay");
  EXPECT_EQ(back.workers, 3);
  EXPECT_EQ(back.rng_seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(back.budget.iterations, 100);
  EXPECT_EQ(back.budget.time_s, 0.1);
  EXPECT_EQ(back.budget.patience, 7);
  EXPECT_EQ(back.budget.target_score, 1.0 / 3);
  EXPECT_EQ(back.islands.count, 2);
  EXPECT_EQ(back.islands.migration_interval, 5);
  EXPECT_EQ(back.islands.migrants, 3);
  EXPECT_EQ(back.islands.stagnation_limit, 9);
  EXPECT_EQ(back.selection.exploit, 0.1);
  EXPECT_EQ(back.selection.explore, 0.2);
  EXPECT_EQ(back.selection.curiosity, 1e-7);
  ASSERT_EQ(back.features.size(), 2U);
  EXPECT_EQ(back.features[0].name, "balance");
  EXPECT_EQ(back.features[0].low, -1.5);
  EXPECT_EQ(back.features[1].high, 1e6);
  EXPECT_EQ(back.features[1].bins, 12);
  EXPECT_TRUE(back.features[1].log_scale);
  EXPECT_EQ(back.timing.search_pairs, 4);
  EXPECT_EQ(back.timing.confirm_pairs, 50);
  EXPECT_EQ(back.timing.block_ms, 0.25);
  EXPECT_EQ(back.timing.rotation_bytes, int64_t{1} << 40);
  EXPECT_EQ(back.timing.max_probe_change, 0.125);
}

TEST(RunConfig, IntegersServeAsNumbers) {
  EXPECT_EQ(config_of("[budget]\ntime_s = 60").budget.time_s, 60.0);
  EXPECT_EQ(config_of("rng_seed = 12").rng_seed, 12U);
}

TEST(RunConfig, ErrorsNameFileLineAndKey) {
  EXPECT_EQ(config_error("\nworker = 3"),
            "run.toml:2: worker: unknown key (did you mean 'workers'?)");
  EXPECT_EQ(config_error("[budget]\ntime = 3"),
            "run.toml:2: budget.time: unknown key (did you mean 'time_s'?)");
  EXPECT_EQ(config_error("device = \"gpu\""),
            "run.toml:1: device: expected auto, cpu, cuda, "
            "cuda:NUMBER, cuda:UUID, metal, or several GPUs as cuda:0,cuda:1 "
            "or cuda:all");
  EXPECT_EQ(config_error("workers = -1"),
            "run.toml:1: workers: -1 is outside 0 to 4096");
  EXPECT_EQ(config_error("workers = 3000000000"),
            "run.toml:1: workers: 3000000000 is outside 0 to 4096");
  EXPECT_EQ(config_error("workers = 1.5"),
            "run.toml:1: workers: expected an integer, found a float");
  EXPECT_EQ(config_error("seeds = \"a.cpp\""),
            "run.toml:1: seeds: expected an array of strings, found a string");
  EXPECT_EQ(config_error("budget = 3"),
            "run.toml:1: budget: expected a table, found an integer");
  EXPECT_THAT(config_error("[budget]\ntime_s = nan"),
              HasSubstr("run.toml:2: budget.time_s: nan is outside 0 to "));
  EXPECT_THAT(config_error("[budget]\ntime_s = inf"),
              HasSubstr("budget.time_s: inf is outside 0 to "));
  EXPECT_THAT(config_error("[islands]\ncount = 0"),
              HasSubstr("islands.count: 0 is outside 1 to 1024"));
  EXPECT_EQ(config_error("[selection]\nexploit = 0\nexplore = 0\n"
                         "curiosity = 0"),
            "run.toml:2: selection.exploit: the three shares must not all be "
            "0");
  EXPECT_EQ(config_error("[[feature]]\nlow = 1"),
            "run.toml:1: feature[0].name: missing");
  EXPECT_EQ(config_error("[[feature]]\nname = \"x\"\nlow = 1\nhigh = 1"),
            "run.toml:4: feature[0].high: must be greater than low");
  EXPECT_EQ(config_error("[[feature]]\nname = \"x\"\nlog_scale = true"),
            "run.toml:1: feature[0].low: must be greater than 0 on a log "
            "scale");
  EXPECT_EQ(config_error("rng_seed = \"18446744073709551616\""),
            "run.toml:1: rng_seed: expected an integer from 0 to 2^64 - 1");
  EXPECT_THAT(config_error("rng_seed = -1"),
              HasSubstr("rng_seed: -1 is outside 0 to "));
  EXPECT_THAT(config_error("a = 1\nb ="), HasSubstr("run.toml:2: TOML: "));
}

TEST(RunConfig, ReadsAFile) {
  const std::string path =
      testing::TempDir() + "/run_config_test" + std::to_string(::getpid());
  std::ofstream(path) << "workers = 7\n";
  const auto config = read_run_config(path, {});
  ::unlink(path.c_str());
  ASSERT_TRUE(config);
  EXPECT_EQ(config->workers, 7);
  const auto missing = read_run_config("/no/such/config.toml", {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
}

}  // namespace
}  // namespace evoke
