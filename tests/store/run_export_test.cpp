#include "evoke/store/run_export.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/store/support.h"

namespace evoke {
namespace {

using test::everything;
using test::make_step;
using test::record_steps;
using test::TemporaryFolder;

TEST(RunExport, HoldsTheWholeRun) {
  const TemporaryFolder folder;
  RunConfig config;
  config.rng_seed = 5;
  auto store = RunStore::create(folder / "run", config, {{"machine", "m"}});
  ASSERT_TRUE(store.has_value());
  record_steps(**store, 1, 9);
  std::stringstream out;
  ASSERT_TRUE(export_run(**store, out));
  std::string line;
  ASSERT_TRUE(std::getline(out, line));
  const Json header = Json::parse(line);
  EXPECT_EQ(header["format"], "evoke run");
  EXPECT_EQ(header["facts"]["machine"], "m");
  const auto read =
      run_config_from_toml(header["config"].get<std::string>(), "x", {});
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->rng_seed, 5u);
  for (int64_t i = 1; i <= 9; ++i) {
    ASSERT_TRUE(std::getline(out, line));
    const auto step = step_from_json(Json::parse(line));
    ASSERT_TRUE(step.has_value()) << step.error().message;
    EXPECT_EQ(everything(*step), everything(make_step(i)));
  }
  EXPECT_FALSE(std::getline(out, line));
}

TEST(RunExport, SaysWhenItCannotWrite) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  record_steps(**store, 1, 3);
  std::stringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_FALSE(export_run(**store, out).has_value());
}

}  // namespace
}  // namespace evoke
