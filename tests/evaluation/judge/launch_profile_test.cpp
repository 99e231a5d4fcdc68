#include "evoke/evaluation/judge/launch_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace evoke::judge {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kStall = "smsp__average_warps_issue_stalled_";

// A row for each metric.
std::string long_form() {
  const std::string head =
      "\"ID\",\"Process ID\",\"Kernel Name\",\"Block "
      "Size\",\"Section Name\",\"Metric Name\",\"Metric "
      "Unit\",\"Metric Value\"\n";
  const auto row = [](const std::string& id, const std::string& kernel,
                      const std::string& metric, const std::string& unit,
                      const std::string& value) {
    return "\"" + id + "\",\"77\",\"" + kernel +
           "\",\"(128, 1, 1)\",\"Command line profiler metrics\",\"" + metric +
           "\",\"" + unit + "\",\"" + value + "\"\n";
  };
  const auto stall = [&](const std::string& reason, const std::string& value) {
    return row("0", "split", kStall + reason + "_per_issue_active.ratio",
               "inst", value);
  };
  return "==PROF== Connected to process 77 (/opt/evoke_runner)\n"
         "what the runner prints, \"quoted\", with commas\n" +
         head +
         row("0", "split", "gpu__time_duration.sum", "nsecond", "12,345") +
         row("0", "split", "sm__throughput.avg.pct_of_peak_sustained_elapsed",
             "%", "31.25") +
         row("0", "split", "dram__bytes_read.sum", "Mbyte", "16.78") +
         row("0", "split", "dram__bytes_write.sum", "byte", "524,288") +
         row("0", "split", "lts__t_sector_hit_rate.pct", "%", "n/a") +
         stall("barrier", "0.4") + stall("long_scoreboard", "8.2") +
         stall("selected", "1") + stall("wait", "1.1") + stall("drain", "0") +
         stall("math_pipe_throttle", "0.2") +
         row("1", "combine \"\"fp32\"\"", "gpu__time_duration.sum", "usecond",
             "2.5") +
         "==PROF== Disconnected from process 77\n";
}

TEST(LaunchProfile, ReadsARowForEachMetric) {
  const auto launches = read_launch_profiles(long_form());
  ASSERT_TRUE(launches) << launches.error().message;
  ASSERT_THAT(*launches, SizeIs(2));
  const LaunchProfile& split = launches->front();
  EXPECT_EQ(split.kernel, "split");
  EXPECT_DOUBLE_EQ(*split.duration_us, 12.345);
  EXPECT_DOUBLE_EQ(*split.compute_percent, 31.25);
  EXPECT_DOUBLE_EQ(*split.dram_read_bytes, 16.78e6);
  EXPECT_DOUBLE_EQ(*split.dram_written_bytes, 524288);
  EXPECT_FALSE(split.l2_hit_percent);  // not available
  EXPECT_FALSE(split.memory_percent);  // not asked for
  const LaunchProfile& combine = launches->back();
  EXPECT_EQ(combine.kernel, "combine \"fp32\"");
  EXPECT_DOUBLE_EQ(*combine.duration_us, 2.5);
  EXPECT_THAT(combine.stalls, IsEmpty());
}

TEST(LaunchProfile, KeepsTheThreeWorstStalls) {
  const auto launches = read_launch_profiles(long_form());
  ASSERT_TRUE(launches);
  const auto& stalls = launches->front().stalls;
  ASSERT_THAT(stalls, SizeIs(3));
  EXPECT_EQ(stalls[0].name, "long_scoreboard");
  EXPECT_DOUBLE_EQ(stalls[0].warps, 8.2);
  EXPECT_EQ(stalls[1].name, "wait");
  EXPECT_EQ(stalls[2].name, "barrier");
}

// `--page raw`: a column for each metric, the units in the row below.
TEST(LaunchProfile, ReadsAColumnForEachMetric) {
  const auto launches = read_launch_profiles(
      "==PROF== Connected to process 77\r\n"
      "\"ID\",\"Kernel Name\",\"Grid Size\",\"dram__bytes_read.sum\","
      "\"lts__t_bytes.sum\",\"gpu__time_duration.sum\","
      "\"sm__warps_active.avg.pct_of_peak_sustained_active\","
      "\"smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio\"\r\n"
      "\"\",\"\",\"\",\"byte\",\"Kbyte\",\"second\",\"%\",\"inst\"\r\n"
      "\"0\",\"split\",\"(5, 20, 1)\",\"10,240,000\",\"2.5\",\"4.0e-05\","
      "\"24.5\",\"0.75\"\r\n"
      "\"1\",\"split\",\"(5, 20, "
      "1)\",\"1\",\"2\",\"4.2e-05\",\"nan\",\"0\"\r\n");
  ASSERT_TRUE(launches) << launches.error().message;
  ASSERT_THAT(*launches, SizeIs(2));
  const LaunchProfile& first = launches->front();
  EXPECT_DOUBLE_EQ(*first.dram_read_bytes, 10240000);
  EXPECT_DOUBLE_EQ(*first.l2_bytes, 2500);
  EXPECT_DOUBLE_EQ(*first.duration_us, 40);
  EXPECT_DOUBLE_EQ(*first.occupancy_percent, 24.5);
  ASSERT_THAT(first.stalls, SizeIs(1));
  EXPECT_FALSE(launches->back().occupancy_percent);  // no number
}

TEST(LaunchProfile, WithoutALaunchTheToolsOwnWordsAreTheError) {
  const auto none = read_launch_profiles("");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("no launch"));
  const auto refused = read_launch_profiles(
      "==PROF== Connected to process 77\n"
      "==WARNING== Something minor\n"
      "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to "
      "access NVIDIA GPU Performance Counters\n"
      "==ERROR== Failed to profile\n"
      "==WARNING== No kernels were profiled.\n");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("ERR_NVGPUCTRPERM"));
  const auto warned = read_launch_profiles(
      "==PROF== Disconnected\n==WARNING== No kernels were profiled.\n");
  ASSERT_FALSE(warned);
  EXPECT_EQ(warned.error().message, "No kernels were profiled.");
}

// Truncated at any byte it is an error or a shorter list, never a crash, and
// no number that was not there.
TEST(LaunchProfile, TakesTextThatEndsAnywhere) {
  const std::string text = long_form();
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto launches = read_launch_profiles(text.substr(0, length));
    if (!launches) continue;
    EXPECT_LE(launches->size(), 2U);
    EXPECT_LE(launches->front().stalls.size(), 3U);
  }
}

TEST(LaunchProfile, JsonHoldsWhatIsKnown) {
  const auto launches = read_launch_profiles(long_form());
  ASSERT_TRUE(launches);
  const Json json = to_json(*launches);
  ASSERT_THAT(json, SizeIs(2));
  EXPECT_EQ(json[0]["kernel"], "split");
  EXPECT_EQ(json[0]["compute_percent"], 31.25);
  EXPECT_FALSE(json[0].contains("l2_hit_percent"));
  EXPECT_EQ(json[0]["stalls"][0]["reason"], "long_scoreboard");
  EXPECT_EQ(json[0]["stalls"][0]["warps"], 8.2);
  EXPECT_TRUE(json[1]["stalls"].is_array());
}

}  // namespace
}  // namespace evoke::judge
