// The sanitizer names every seeded defect of conformance.txt, on its line, and
// says nothing about the clean kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/fd.h"
#include "trial.h"

namespace evoke::testing {
namespace {

struct Case {
  std::string name;
  std::string expect;
  std::string says;
  int line = 0;  // of the body; 0: not looked at
  Trial trial;
};

std::vector<Case> read_cases() {
  std::vector<Case> cases;
  std::ifstream file(EVOKE_METAL_HOST_TESTS "/conformance.txt");
  int part = 0;  // 0: the keys, 1: the body, 2: the second body
  const auto value = [](const std::string& line) {
    return line.substr(line.find(": ") + 2);
  };
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("== ")) {
      cases.emplace_back();
      cases.back().name = line.substr(3);
      part = 0;
    } else if (cases.empty()) {
      continue;
    } else if (line == "--") {
      ++part;
    } else if (part == 1) {
      cases.back().trial.body += line + "\n";
    } else if (part == 2) {
      cases.back().trial.second_body += line + "\n";
    } else if (line.starts_with("expect: ")) {
      cases.back().expect = value(line);
    } else if (line.starts_with("says: ")) {
      cases.back().says = value(line);
    } else if (line.starts_with("line: ")) {
      cases.back().line = std::stoi(value(line));
    } else if (line.starts_with("threads: ")) {
      cases.back().trial.threads[0] = std::stoi(value(line));
    } else if (line.starts_with("threadgroups: ")) {
      cases.back().trial.threadgroups[0] = std::stoi(value(line));
    } else if (line.starts_with("size: ")) {
      cases.back().trial.size = std::stoi(value(line));
    }
  }
  return cases;
}

constexpr std::string_view kGate = "gate: ";

void check_gate(const Case& each) {
  const CompileReply compiled = compile_trial(each.trial);
  EXPECT_NE(compiled.status, CompileReply::Status::ok);
  EXPECT_NE(compiled.diagnostics.find(each.expect.substr(kGate.size())),
            std::string::npos)
      << compiled.diagnostics;
}

void check(const Case& each, const TrialResult& result, int body_line) {
  EXPECT_EQ(result.verdict(), each.expect);
  if (result.findings.empty()) return;
  const metal::host::Finding& first = result.findings.front();
  EXPECT_NE(first.message.find(each.says), std::string::npos) << first.message;
  if (each.line == 0) return;
  EXPECT_EQ(first.line, body_line + each.line - 1) << first.message;
}

TEST(Conformance, NamesEveryDefectAndNothingElse) {
  const auto cases = read_cases();
  std::size_t clean = 0;
  std::vector<Case> run;
  std::vector<Trial> trials;
  for (const Case& each : cases) {
    if (each.expect == "clean") ++clean;
    if (each.expect.starts_with(kGate)) {
      SCOPED_TRACE(each.name);
      check_gate(each);
    } else {
      run.push_back(each);
      trials.push_back(each.trial);
    }
  }
  EXPECT_GE(cases.size() - clean, 40U);
  EXPECT_GE(clean, 8U);
  // A kernel file has 64 launches at most.
  constexpr std::size_t kTogether = 24;
  for (std::size_t first = 0; first < run.size(); first += kTogether) {
    const std::size_t last = std::min(first + kTogether, run.size());
    const std::vector<Trial> group(
        trials.begin() + static_cast<std::ptrdiff_t>(first),
        trials.begin() + static_cast<std::ptrdiff_t>(last));
    const auto results = run_trials(group);
    const auto lines = trial_body_lines(group);
    for (std::size_t i = 0; i < results.size(); ++i) {
      SCOPED_TRACE(run[first + i].name);
      check(run[first + i], results[i], lines[i]);
    }
  }
}

}  // namespace
}  // namespace evoke::testing
