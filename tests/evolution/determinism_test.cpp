// Equal seeds, equal runs: within a process, and in another one, where
// addresses, hash seeds and the environment differ.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "evoke/base/subprocess.h"
#include "tests/evolution/simulation.h"

namespace evoke {
namespace {

using simulation::Landscape;
using simulation::SimulatedRun;

constexpr const char* kMarker = "fingerprint of the run: ";

std::string fingerprint_of(uint64_t seed, int workers) {
  SimulatedRun run(simulation::small_config(seed, workers),
                   simulation::founders(), Landscape{});
  run.run(500);
  Fingerprint all;
  for (const Step& step : run.steps) all.add(simulation::text_of(step));
  all.add(run.evolution.fingerprint());
  return all.hex();
}

TEST(Determinism, TheSeedDecidesTheRun) {
  std::set<std::string> fingerprints;
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const std::string once = fingerprint_of(seed, 4);
    EXPECT_EQ(once, fingerprint_of(seed, 4));
    fingerprints.insert(once);
  }
  EXPECT_EQ(fingerprints.size(), 3u);
}

// Not a test of its own: what the test below starts.
TEST(Determinism, PrintsItsFingerprint) {
  std::printf("%s%s\n", kMarker, fingerprint_of(7, 8).c_str());
}

TEST(Determinism, AnotherProcessRunsTheSameRun) {
  SubprocessOptions options;
  options.arguments = {std::filesystem::read_symlink("/proc/self/exe"),
                       "--gtest_filter=Determinism.PrintsItsFingerprint"};
  options.environment = {"MALLOC_PERTURB_=77", "LANG=C"};
  auto child = Subprocess::start(options);
  ASSERT_TRUE(child.has_value()) << child.error().message;
  ASSERT_TRUE(child->wait(120000).has_value());
  const std::string& output = child->output();
  const std::size_t at = output.find(kMarker);
  ASSERT_NE(at, std::string::npos) << output;
  const std::string theirs =
      output.substr(at + std::string_view(kMarker).size(), 32);
  EXPECT_EQ(theirs, fingerprint_of(7, 8));
}

}  // namespace
}  // namespace evoke
