// The compile gate agrees with gate_battery.txt.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "trial.h"

namespace evoke::testing {
namespace {

using metal::host::MetalVersion;

struct Line {
  std::string verdict;
  std::string source;
  std::string since;
  std::string body;

  MetalVersion version() const {
    return since == "3.2" ? MetalVersion::v3_2 : MetalVersion::v3_1;
  }
};

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(' ');
  const std::size_t last = text.find_last_not_of(' ');
  return first == text.npos ? "" : text.substr(first, last - first + 1);
}

std::vector<Line> read_battery() {
  std::vector<Line> lines;
  std::ifstream file(EVOKE_METAL_HOST_TESTS "/gate_battery.txt");
  for (std::string text; std::getline(file, text);) {
    if (text.empty() || text[0] == '#') continue;
    std::istringstream fields(text);
    Line line;
    std::getline(fields, line.verdict, '|');
    std::getline(fields, line.source, '|');
    std::getline(fields, line.since, '|');
    std::getline(fields, line.body);
    line.verdict = trimmed(line.verdict);
    line.since = trimmed(line.since);
    line.body = trimmed(line.body);
    lines.push_back(line);
  }
  return lines;
}

bool is_accepted(const Line& line, std::string& diagnostics) {
  Trial trial;
  trial.body = line.body;
  trial.version = line.version();
  const CompileReply reply = compile_trial(trial);
  diagnostics = reply.diagnostics;
  return reply.status == CompileReply::Status::ok;
}

// Many bodies in one kernel, each in a block on a line of its own: which
// lines have errors?
std::map<int, bool> errors_of(const std::vector<const Line*>& lines) {
  Trial trial;
  trial.version = lines.front()->version();
  for (const Line* line : lines) trial.body += "{ " + line->body + " }\n";
  const CompileReply reply = compile_trial(trial);
  std::map<int, bool> errors;
  std::istringstream text(reply.diagnostics);
  for (std::string each; std::getline(text, each);) {
    const std::size_t first = each.find(':');
    if (first == each.npos || each.find(": error: ") == each.npos) continue;
    errors[std::atoi(each.c_str() + first + 1) -
           trial_body_lines({trial}).front()] = true;
  }
  return errors;
}

TEST(GateBattery, AgreesOnEveryLine) {
  const auto all = read_battery();
  ASSERT_GE(all.size(), 120U);
  std::vector<const Line*> group;
  int open = 0;
  const auto check = [&] {
    const auto errors = errors_of(group);
    for (std::size_t i = 0; i < group.size(); ++i) {
      const bool accepted = !errors.contains(static_cast<int>(i));
      if (accepted == (group[i]->verdict == "accept")) continue;
      // A neighbour's broken syntax, perhaps: once more, alone.
      std::string diagnostics;
      EXPECT_EQ(is_accepted(*group[i], diagnostics) ? "accept" : "reject",
                group[i]->verdict)
          << group[i]->body << "\n"
          << diagnostics;
    }
    group.clear();
  };
  constexpr std::size_t kGroup = 60;
  for (const Line& line : all) {
    if (line.verdict == "open") {
      ++open;
      continue;
    }
    ASSERT_TRUE(line.verdict == "accept" || line.verdict == "reject")
        << line.body;
    if (!group.empty() && (group.front()->version() != line.version() ||
                           group.size() == kGroup)) {
      check();
    }
    // What clang cannot recover from, and what is said of the whole kernel.
    const bool alone =
        line.body.find("thread_execution_width") != line.body.npos ||
        line.body.find("threads_per_simdgroup") != line.body.npos ||
        !(line.body.ends_with(';') || line.body.ends_with('}'));
    if (!alone) {
      group.push_back(&line);
      continue;
    }
    std::string diagnostics;
    EXPECT_EQ(is_accepted(line, diagnostics) ? "accept" : "reject",
              line.verdict)
        << line.body << "\n"
        << diagnostics;
  }
  if (!group.empty()) check();
  EXPECT_LT(open, 10);
}

}  // namespace
}  // namespace evoke::testing
