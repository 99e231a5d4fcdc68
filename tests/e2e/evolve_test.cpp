// Whole runs: searched, killed, resumed, interrupted, read.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/e2e/program.h"

namespace evoke::test {
namespace {

namespace fs = std::filesystem;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Evolve, FindsConfirmsRecordsAndReports) {
  const Desk desk;
  const Ended ended = desk.run(desk.small_search("run", 6));
  ASSERT_EQ(ended.code, 0) << ended.output;
  const std::string run = desk.file("run");
  for (const char* name : {"run.db", "config.toml", "report.html",
                           "best/kernel.cpp", "best/info.json"}) {
    EXPECT_TRUE(fs::exists(run + "/" + name)) << name;
  }
  const Json status = desk.json({"status", "run"});
  EXPECT_TRUE(status["finished"].get<bool>());
  EXPECT_GT(status["best"].get<int64_t>(), 0);
  EXPECT_GE(status["steps"].get<int64_t>(), 6);
  EXPECT_EQ(status["counts"]["crashed"].get<int64_t>(), 0) << ended.output;
  EXPECT_EQ(status["counts"]["infrastructure_failed"].get<int64_t>(), 0);

  const Json best = desk.json({"inspect", "run"});
  EXPECT_EQ(best["outcome"]["kind"], "confirmed");
  const Json& shapes = best["outcome"]["measurements"]["shapes"];
  ASSERT_FALSE(shapes.empty());
  for (const Json& shape : shapes) {
    // Raw, so that all can be redone, or nothing was raced.
    EXPECT_EQ(shape["pairs"].empty(), shape.value("same_code", false)) << shape;
  }

  const Json report = desk.json({"report", "run"});
  EXPECT_EQ(report["steps"], status["steps"]);
  EXPECT_NE(read(run + "/report.html").find("</html>"), std::string::npos);

  const Ended exported = desk.run({"export", "run", "-o", "best.cpp"});
  ASSERT_EQ(exported.code, 0) << exported.output;
  EXPECT_EQ(read(desk.file("best.cpp")), best["text"].get<std::string>());
  EXPECT_EQ(read(desk.file("best.cpp")), read(run + "/best/kernel.cpp"));

  const Ended whole =
      desk.run({"export", "run", "--format", "json", "-o", "run.jsonl"});
  ASSERT_EQ(whole.code, 0) << whole.output;
  const std::string lines = read(desk.file("run.jsonl"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'),
            1 + status["steps"].get<int64_t>());

  const Json verified =
      desk.json({"verify", "best.cpp", "--quick", "--workload", "tiny.toml"});
  EXPECT_TRUE(verified["right"].get<bool>());
}

TEST(Evolve, AFullDiskLosesNothingAndSaysSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a small disk needs root";
  const Desk desk;
  const std::string disk = desk.file("disk");
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=16m") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs here";
  }
  ASSERT_EQ(desk.run(desk.small_search("disk/run", 3)).code, 0);
  const auto recorded =
      desk.json({"status", "disk/run"})["steps"].get<int64_t>();
  {
    std::ofstream filler(disk + "/filler");
    const std::string block(4096, 'x');
    while (filler << block << std::flush) {
    }
  }
  const Ended full =
      desk.run({"evolve", "--resume", "disk/run", "--iterations", "40"});
  EXPECT_NE(full.code, 0);
  EXPECT_NE(full.output.find("no space left"), std::string::npos)
      << full.output;
  fs::remove(disk + "/filler");
  EXPECT_GE(desk.json({"status", "disk/run"})["steps"].get<int64_t>(),
            recorded);
  const Ended more = desk.run({"evolve", "--resume", "disk/run", "--iterations",
                               std::to_string(recorded + 1)});
  EXPECT_EQ(more.code, 0) << more.output;
  ::umount2(disk.c_str(), MNT_DETACH);
}

TEST(Evolve, GoesOnAfterKillAndKeepsEveryStep) {
  const Desk desk;
  Subprocess first = desk.start(desk.small_search("run", 400));
  ASSERT_TRUE(desk.wait_for_steps("run", 5)) << first.output();

  // Only one may write.
  const Ended second = desk.run({"evolve", "--resume", "run"});
  EXPECT_NE(second.code, 0);
  EXPECT_NE(second.output.find(std::to_string(first.pid())), std::string::npos)
      << second.output;

  ::kill(first.pid(), SIGKILL);
  ASSERT_TRUE(first.wait(30'000).has_value());
  const Json before = desk.json({"status", "run"});
  const auto steps = before["steps"].get<int64_t>();
  EXPECT_GE(steps, 5);
  EXPECT_FALSE(before["finished"].get<bool>());

  const Ended resumed = desk.run(
      {"evolve", "--resume", "run", "--iterations", std::to_string(steps + 3)});
  ASSERT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(resumed.output.find("decided otherwise"), std::string::npos)
      << resumed.output;
  const Json after = desk.json({"status", "run"});
  EXPECT_GT(after["steps"].get<int64_t>(), steps);
  EXPECT_TRUE(after["finished"].get<bool>());
}

TEST(Evolve, AnInterruptEndsItInOrder) {
  const Desk desk;
  Subprocess process = desk.start(desk.small_search("run", 100'000));
  ASSERT_TRUE(desk.wait_for_steps("run", 4)) << process.output();
  ::kill(process.pid(), SIGINT);
  const auto status = process.wait(120'000);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->code, 0) << process.output();
  const Json after = desk.json({"status", "run"});
  EXPECT_TRUE(after["finished"].get<bool>());
  EXPECT_GT(after["best"].get<int64_t>(), 0);
  EXPECT_TRUE(fs::exists(desk.file("run/report.html")));
}

TEST(Evolve, TheSecondInterruptEndsItAtOnce) {
  const Desk desk;
  Subprocess process = desk.start(desk.small_search("run", 100'000));
  ASSERT_TRUE(desk.wait_for_steps("run", 2)) << process.output();
  ::kill(process.pid(), SIGINT);
  // A signal that is pending still counts once only.
  while (!process.wait(20)) ::kill(process.pid(), SIGINT);
  EXPECT_GE(desk.json({"status", "run"})["steps"].get<int64_t>(), 2);
  const Ended resumed =
      desk.run({"evolve", "--resume", "run", "--iterations", "1"});
  EXPECT_EQ(resumed.code, 0) << resumed.output;
}

TEST(Evolve, TheDryRunWritesNothing) {
  const Desk desk;
  auto arguments = desk.small_search("run", 6);
  arguments.push_back("--dry-run");
  const Json plan = desk.json(arguments);
  EXPECT_EQ(plan["device"], "cpu");
  EXPECT_EQ(plan["workload"].size(), 2U);
  EXPECT_FALSE(plan["seeds"].empty());
  EXPECT_FALSE(fs::exists(desk.file("run")));
}

TEST(Evolve, ChecksFoundersOnly) {
  const Desk desk;
  const Json founders =
      desk.json({"evolve", "--config", "small.toml", "--check-only"});
  ASSERT_FALSE(founders.empty());
  for (const Json& each : founders) {
    EXPECT_TRUE(each["right"].get<bool>()) << each.dump();
  }
  EXPECT_FALSE(fs::exists(desk.file("run")));
}

}  // namespace
}  // namespace evoke::test
