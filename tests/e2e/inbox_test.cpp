// `evoke inbox`, as an agent works with it from a shell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/e2e/program.h"

namespace evoke::test {
namespace {

using testing::HasSubstr;

std::string seed() {
  std::ifstream file(EVOKE_KERNELS "/attention/cpu/three_pass.cpp");
  return {std::istreambuf_iterator<char>(file), {}};
}

// The seed with one more constant in it.
std::string changed(const std::string& name) {
  std::string text = seed();
  const std::string mark = "// EVOLVE-BLOCK-START\n";
  text.insert(text.find(mark) + mark.size(),
              "[[maybe_unused]] constexpr int " + name + " = 1;\n");
  return text;
}

TEST(InboxCommand, AsksChecksAnswersAndTellsWhatBecameOfThem) {
  const Desk desk;
  auto arguments = desk.small_search("run", 20);
  arguments.insert(
      arguments.end(),
      {EVOKE_KERNELS "/attention/cpu/three_pass.cpp", "--proposer", "inbox"});
  Subprocess search = desk.start(arguments);
  ASSERT_TRUE(desk.wait_for_steps("run", 1)) << search.output();

  const Json open = desk.json({"inbox", "run", "list", "--wait"});
  ASSERT_FALSE(open["tasks"].empty()) << search.output();
  EXPECT_EQ(open["writer_pid"], search.pid());
  const std::string task = open["tasks"][0]["id"].dump();

  // The whole prompt: contract, workload, the file to change.
  const Ended shown = desk.run({"inbox", "run", "show", task});
  EXPECT_EQ(shown.code, 0) << shown.output;
  for (const char* part : {"EVOLVE-BLOCK-START", "KERNEL(attend)", "SEARCH"}) {
    EXPECT_THAT(shown.output, HasSubstr(part));
  }
  const Json whole = desk.json({"inbox", "run", "show", task});
  EXPECT_EQ(whole["request"]["parent"]["text"], seed());

  // What makes no kernel is refused at once and leaves the task open.
  desk.write("prose.cpp", "I would make it faster.\n");
  const Ended prose =
      desk.run({"inbox", "run", "answer", task, "prose.cpp", "--json"});
  EXPECT_EQ(prose.code, 1);
  EXPECT_FALSE(Json::parse(prose.output)["deliveries"][0]["parses"].get<bool>())
      << prose.output;
  desk.write("same.cpp", seed());
  const Ended same = desk.run({"inbox", "run", "answer", task, "same.cpp"});
  EXPECT_EQ(same.code, 1);
  EXPECT_THAT(same.output, HasSubstr("same.cpp: refused: "));
  const Ended nobody = desk.run({"inbox", "run", "answer", "999", "prose.cpp"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.output, HasSubstr("task 999 is not open"));

  // One that nobody asked for, then the answer; both are judged.
  desk.write("own.cpp", changed("kOwn"));
  const Json own = desk.json({"inbox", "run", "submit", "own.cpp", "--wait"});
  EXPECT_EQ(own["deliveries"][0]["receipt"].value("state", ""), "judged")
      << own.dump();
  desk.write("mine.cpp", changed("kMine"));
  const Json answered = desk.json({"inbox", "run", "answer", task, "mine.cpp",
                                   "--summary", "one more constant", "--wait"});
  const Json receipt = answered["deliveries"][0]["receipt"];
  ASSERT_EQ(receipt.value("state", ""), "judged") << answered.dump();
  const Json seen = desk.json({"inspect", "run", receipt["candidate"].dump()});
  EXPECT_EQ(seen["summary"], "one more constant");
  const Json later = desk.json({"inbox", "run", "list"});
  EXPECT_GE(later["answers"].size(), 2U);

  ::kill(search.pid(), SIGINT);
  while (!search.wait(50)) ::kill(search.pid(), SIGINT);
  const Ended over = desk.run({"inbox", "run", "list"});
  EXPECT_EQ(over.code, 0);
  EXPECT_THAT(over.output, HasSubstr("no process is at work on it"));
}

}  // namespace
}  // namespace evoke::test
