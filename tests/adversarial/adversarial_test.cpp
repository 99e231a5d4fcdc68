// Every kernel of this folder tries to be called right, or quick, without
// being so. Each goes through the real judge, with real runners, and must end
// in the way that it says itself, in lines below its plan.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/attention/problem.h"
#include "evoke/attention/workload.h"
#include "evoke/core/candidate.h"
#include "evoke/core/outcome.h"
#include "evoke/evaluation/judge/cascade.h"
#include "evoke/evaluation/judge/opponent.h"
#include "evoke/evaluation/judge/race_track.h"
#include "evoke/evaluation/judge/workbench.h"
#include "tests/support/runner_path.h"

namespace evoke {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHonest = "honest";
constexpr std::string_view kExpect = "// expect: ";
constexpr std::string_view kEntry = "// entry: ";
constexpr std::string_view kLate = "// stage: time";

// Small: a case more costs each kernel some ten milliseconds.
constexpr const char* kWorkload = R"(
[defaults]
Hq = 16
Hkv = 8
D = 128
[[shape]]
Lq = 1
Lk = 512
[[shape]]
Lq = 32
Lk = 32
)";

std::vector<std::string> listed() {
  std::vector<std::string> names;
  std::istringstream list(EVOKE_ADVERSARIAL_KERNELS);
  for (std::string name; list >> name;) names.push_back(name);
  return names;
}

struct AdversarialKernel {
  std::set<std::string> expected;  // outcome kinds
  bool has_entry = false;          // of docs/validity.md
  bool late = false;  // found out in timed blocks only, by its nature
  std::string text;   // from the plan on
};

// Throws std::runtime_error where these lines are not as they must be.
AdversarialKernel read_kernel(const std::string& name) {
  std::ifstream file(fs::path(EVOKE_ADVERSARIAL_FOLDER) / (name + ".cpp"));
  AdversarialKernel kernel;
  for (std::string line; std::getline(file, line);) {
    kernel.late = kernel.late || line == kLate;
    kernel.text += line + "\n";
    if (line.starts_with(kExpect)) {
      std::istringstream kinds(line.substr(kExpect.size()));
      for (std::string kind; kinds >> kind;) {
        if (!parse_outcome_kind(kind)) {
          throw std::runtime_error(name + ": no outcome is called " + kind);
        }
        kernel.expected.insert(kind);
      }
    } else if (line.starts_with(kEntry)) {
      kernel.has_entry = true;
    }
  }
  if (kernel.expected.empty() || !kernel.has_entry) {
    throw std::runtime_error(name +
                             ".cpp: it must say '// expect:' and '// entry:'");
  }
  return kernel;
}

// One judge for all: opening it takes seconds.
class Court {
 public:
  Court() {
    judge::WorkbenchOptions options;
    options.runner_path = test::runner_path();
    options.use_compile_cache = false;
    bench_ = std::move(judge::Workbench::open(*problem_, options).value());
    judge::RaceTrackOptions track;
    track.rotation_bytes = int64_t{32} << 20;
    const auto workload = attention::parse_workload(kWorkload, "trial.toml");
    if (!workload) throw std::runtime_error(workload.error().message);
    track_ =
        std::move(judge::RaceTrack::open(*bench_, *workload, track).value());
    reference_ =
        std::move(track_->opponent(kHonest, read_kernel(kHonest).text).value());
    judge::CascadeOptions cascade;
    cascade.num_pairs = 4;
    cascade.screen.call_timeout_ms = 1'500;
    cascade.gate.call_timeout_ms = 1'500;
    cascade_ = std::make_unique<judge::Cascade>(*bench_, *track_, *reference_,
                                                novelty_, cascade);
  }

  Outcome judge(const std::string& text) {
    EvaluationRequest request;
    request.candidate.id = next_++;
    request.candidate.text = text;
    return cascade_->judge(request);
  }

 private:
  std::unique_ptr<Problem> problem_ = make_attention_problem();
  std::unique_ptr<judge::Workbench> bench_;
  std::unique_ptr<judge::RaceTrack> track_;
  std::unique_ptr<judge::Opponent> reference_;
  judge::Novelty novelty_;
  std::unique_ptr<judge::Cascade> cascade_;
  CandidateId next_ = 1;
};

class Adversarial : public testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() { court_ = std::make_unique<Court>(); }
  static void TearDownTestSuite() { court_.reset(); }
  static std::unique_ptr<Court> court_;
};
std::unique_ptr<Court> Adversarial::court_;

TEST_P(Adversarial, EndsAsExpected) {
  const AdversarialKernel kernel = read_kernel(GetParam());
  const Outcome outcome = court_->judge(kernel.text);
  const std::string kind(to_string(outcome.kind));
  const std::string told = kind + " at " +
                           std::string(to_string(outcome.stage)) + ": " +
                           outcome.message;
  std::cout << "    " << told.substr(0, 300) << "\n";
  EXPECT_TRUE(kernel.expected.contains(kind)) << told;
  // Whatever else is wrong must not reach the stop-watch: timed answers are
  // checked, but on plain inputs only.
  if (!outcome.ranked() && !kernel.late) {
    EXPECT_LT(outcome.stage, Stage::time) << told;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Adversarial, testing::ValuesIn(listed()),
                         [](const auto& each) { return each.param; });

TEST(AdversarialList, NamesEveryFile) {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(EVOKE_ADVERSARIAL_FOLDER)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".cpp" && path.stem() != "adversarial_test") {
      found.insert(path.stem());
    }
  }
  const auto names = listed();
  EXPECT_EQ(found, std::set<std::string>(names.begin(), names.end()))
      << "list it in tests/adversarial/CMakeLists.txt";
}

}  // namespace
}  // namespace evoke
