#include "evoke/cli/kernel_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "evoke/attention/shape.h"

namespace evoke::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

// As a CUDA kernel of two launches would look, measured and looked into.
KernelProfile full_profile() {
  KernelProfile profile;
  profile.kernel = "split.cu";
  profile.device = "cuda";
  profile.device_name = "NVIDIA H200";
  profile.roofline = {4e12, 8e14, 0};
  ShapeProfile shape;
  attention::AttentionShape sizes;
  sizes.Lk = 4096;
  shape.shape = attention::to_shape(sizes);
  shape.variant = "decode";
  shape.work = {16.8e6, 33.6e6};
  ResolvedLaunch split;
  split.kernel = "split";
  split.threadgroups = {16, 8, 1};
  split.threads = {128, 1, 1};
  split.cluster = {8, 1, 1};
  split.dynamic_memory_bytes = 48 * 1024;
  ResolvedLaunch combine;
  combine.kernel = "combine";
  combine.threadgroups = {16, 1, 1};
  combine.threads = {128, 1, 1};
  shape.plan.launches = {split, combine};
  shape.report = {
      {"architecture", "sm_90a"},
      {"code_bytes", 6144},
      {"cached", true},
      {"kernels",
       {{"split",
         {{"registers", 168},
          {"static_shared_bytes", 1024},
          {"spill_store_bytes", 24},
          {"spill_load_bytes", 32},
          {"code_bytes", 5120},
          {"occupancy", 0.25},
          {"limited_by", "registers"},
          {"instructions", {{"fma", 512}, {"global load 128", 64}}}}},
        {"combine", {{"registers", 32}}}}}};
  ShapeMeasurement time;
  time.shape = shape.shape.name;
  time.pairs = {{8.2, 8.4}, {8.6, 8.3}};
  time.candidate_us = 8.4;
  time.roof_us = 4.2;
  shape.time = time;
  judge::LaunchProfile seen;
  seen.kernel = "split";
  seen.compute_percent = 31.4;
  seen.memory_percent = 82;
  seen.dram_read_bytes = 16.9e6;
  seen.l2_bytes = 17.2e6;
  seen.occupancy_percent = 24;
  seen.stalls = {{"long_scoreboard", 8.24}, {"wait", 1.1}};
  shape.launches = {seen};
  profile.shapes = {shape};
  profile.left_out = {"prefill-64"};
  return profile;
}

TEST(KernelProfile, TextShowsEverythingOfALaunch) {
  const std::string text = to_text(Context{}, full_profile());
  for (const char* part : {"decode-4096",
                           "variant decode",
                           "16.8 MB to move",
                           "roof 4.2 us",
                           "(memory)",
                           "8.4 us cold",
                           "50 % of the roof",
                           "8.2 us to 8.6 us in 2 pairs",
                           "16x8",
                           "48 KiB",
                           "168",
                           "32 B",
                           "25 %, registers",
                           "split: 512 fma, 64 global load 128",
                           "compute 31 %",
                           "memory 82 %",
                           "16.9 MB read from DRAM",
                           "17.2 MB through L2",
                           "long_scoreboard 8.2",
                           "no variant takes prefill-64"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(KernelProfile, TextFitsAPage) {
  KernelProfile profile = full_profile();
  Json& mix = profile.shapes[0].report["kernels"]["split"]["instructions"];
  for (int i = 0; i < 30; ++i) {
    mix["a kind with a long name " + std::to_string(i)] = 100 + i;
  }
  std::istringstream lines(to_text(Context{}, profile));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100U) << line;
    EXPECT_EQ(line.find_last_not_of(' ') + 1, line.size()) << line;
  }
}

TEST(KernelProfile, ColumnsThatSayNothingAreLeftOut) {
  KernelProfile profile = full_profile();
  profile.shapes[0].report = {
      {"code_bytes", 3840}, {"instructions", 812}, {"isa", {"avx2", "fma"}}};
  profile.shapes[0].launches.clear();
  const std::string text = to_text(Context{}, profile);
  EXPECT_THAT(text, HasSubstr("3.75 KiB of code, 812 instructions, "
                              "isa avx2 fma"));
  for (const char* absent : {"regs", "spilled", "occupancy", "profiler"}) {
    EXPECT_THAT(text, Not(HasSubstr(absent)));
  }
}

// What a runner sends may be of any form.
TEST(KernelProfile, ReportsOfAnyFormAreShownOrPassedOver) {
  for (const char* report :
       {"null", "[]", R"({"kernels": 3, "isa": "avx2", "code_bytes": "x"})",
        R"({"kernels": {"split": [], "combine": {"registers": "many",
            "instructions": [1], "limited_by": 3, "occupancy": 1}}})",
        R"({"isa": [1, null], "cached": "yes", "imports": {}})"}) {
    KernelProfile profile = full_profile();
    profile.shapes[0].report = Json::parse(report);
    EXPECT_THAT(to_text(Context{}, profile), HasSubstr("16x8")) << report;
  }
}

TEST(KernelProfile, ReasonsComeLast) {
  KernelProfile profile = full_profile();
  profile.wrong = "incorrect: row 3";
  profile.not_timed = "only what is right is timed";
  profile.not_profiled = "ncu is not installed";
  const std::string text = to_text(Context{}, profile);
  EXPECT_THAT(text, HasSubstr("WRONG incorrect: row 3\nnot timed: only what"));
  EXPECT_THAT(text, HasSubstr("ncu is not installed"));
}

TEST(KernelProfile, JsonHoldsTheNumbers) {
  const Json json = to_json(full_profile());
  const Json& shape = json["shapes"][0];
  EXPECT_EQ(shape["shape"]["name"], "decode-4096");
  EXPECT_EQ(shape["launches"][0]["dynamic_memory_bytes"], 48 * 1024);
  EXPECT_EQ(shape["report"]["kernels"]["split"]["registers"], 168);
  EXPECT_EQ(shape["work"]["bytes"], 16.8e6);
  EXPECT_EQ(shape["time"]["us"], 8.4);
  EXPECT_EQ(shape["time"]["of_roof"], 0.5);
  EXPECT_EQ(shape["time"]["samples_us"].size(), 4U);
  EXPECT_EQ(shape["profile"][0]["stalls"][0]["reason"], "long_scoreboard");
  EXPECT_FALSE(json.contains("wrong"));
  EXPECT_EQ(json["left_out"][0], "prefill-64");
}

}  // namespace
}  // namespace evoke::cli
