// One kernel for each way that a judging can end.
#include "evoke/evaluation/judge/cascade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "evoke/evaluation/judge/judging.h"
#include "tests/evaluation/judge/court.h"
#include "tests/evaluation/judge/kernels.h"
#include "tests/support/runner_path.h"

namespace evoke::judge {
namespace {

using testing::HasSubstr;
using testing::Not;

// A busy machine may take long for a call that is over soon elsewhere.
CascadeOptions quick_options(int64_t call_timeout_ms = 20'000) {
  CascadeOptions options;
  options.num_pairs = 2;
  options.screen.call_timeout_ms = call_timeout_ms;
  options.gate.call_timeout_ms = call_timeout_ms;
  return options;
}

test::KernelOptions small() {
  test::KernelOptions options;
  options.when = test::kSmall;
  return options;
}

EvaluationRequest request_of(
    CandidateId id, const std::string& text,
    EvaluationPurpose purpose = EvaluationPurpose::score) {
  EvaluationRequest request;
  request.candidate.id = id;
  request.candidate.text = text;
  request.purpose = purpose;
  return request;
}

class CascadeTest : public ::testing::Test {
 protected:
  test::Court& court() { return test::Court::shared(); }
  Outcome judge(const std::string& text, CandidateId id = 1) {
    return cascade_.judge(request_of(id, text));
  }
  static void expect(const Outcome& outcome, OutcomeKind kind, Stage stage,
                     const std::string& message) {
    EXPECT_EQ(outcome.kind, kind) << to_string(outcome.kind);
    EXPECT_EQ(outcome.stage, stage) << to_string(outcome.stage);
    EXPECT_THAT(outcome.message, HasSubstr(message));
    EXPECT_FALSE(outcome.message.empty());
    EXPECT_FALSE(outcome.fitness);
    EXPECT_FALSE(outcome.ranked());
    EXPECT_THAT(outcome.message, Not(HasSubstr("/tmp/")));
  }
  Novelty novelty_;
  Cascade cascade_{court().bench(), court().track(), court().reference(),
                   novelty_, quick_options()};
};

TEST_F(CascadeTest, AnHonestKernelIsMeasured) {
  const Outcome outcome = judge(test::honest_kernel("new", 10), 7);
  ASSERT_EQ(outcome.kind, OutcomeKind::measured) << outcome.message;
  EXPECT_EQ(outcome.candidate, 7);
  EXPECT_EQ(outcome.stage, Stage::time);
  ASSERT_TRUE(outcome.fitness);
  EXPECT_GT(outcome.fitness->value, 0);
  EXPECT_LE(outcome.fitness->low, outcome.fitness->value);
  EXPECT_GE(outcome.fitness->high, outcome.fitness->value);
  ASSERT_TRUE(outcome.measurements);
  EXPECT_EQ(outcome.measurements->shapes.size(), 1U);
  EXPECT_GT(outcome.measurements->features.at("source_bytes"), 0);
  EXPECT_EQ(outcome.measurements->features.at("launches"), 1);
  EXPECT_THAT(outcome.message, HasSubstr("x honest"));
  // What was enforced, what the gate saw, what was compiled.
  EXPECT_TRUE(outcome.details.at("confinement").is_object());
  EXPECT_GT(outcome.details.at("gate").size(), 3U);
  for (const Json& row : outcome.details.at("gate")) {
    EXPECT_EQ(row.at("right"), true);
  }
  EXPECT_EQ(outcome.details.at("units").size(), 1U);
  double total_ms = 0;
  for (const double ms : outcome.stage_ms) total_ms += ms;
  EXPECT_GT(total_ms, 0);
  // The store can keep it.
  const auto read = outcome_from_json(Json::parse(to_json(outcome).dump()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_json(*read), to_json(outcome));
}

TEST_F(CascadeTest, TextThatIsNoKernelIsRejected) {
  expect(judge("int main() {}"), OutcomeKind::rejected_plan, Stage::plan,
         "candidate-1.cpu");
  auto forbidden = small();
  forbidden.header = "#include <fstream>\n";
  expect(judge(test::make_kernel(forbidden)), OutcomeKind::rejected_plan,
         Stage::plan, "fstream");
  auto none = small();
  none.when = "Lq > 1";
  expect(judge(test::make_kernel(none)), OutcomeKind::rejected_plan,
         Stage::plan, "no variant");
}

TEST_F(CascadeTest, TheSameTextIsADuplicate) {
  ASSERT_EQ(judge(test::honest_kernel(), 1).kind, OutcomeKind::measured);
  const Outcome outcome = judge(test::honest_kernel(), 2);
  expect(outcome, OutcomeKind::duplicate, Stage::novelty, "candidate 1");
  EXPECT_EQ(outcome.duplicate_of, 1);
}

TEST_F(CascadeTest, TheSameMachineCodeIsADuplicate) {
  ASSERT_EQ(judge(test::honest_kernel("one"), 1).kind, OutcomeKind::measured);
  auto options = small();
  options.keys = "Lk == -1 ? 0 : (visible + 2 - 2)";
  const Outcome outcome = judge(test::make_kernel(options), 2);
  expect(outcome, OutcomeKind::duplicate, Stage::compile, "machine code");
  EXPECT_EQ(outcome.duplicate_of, 1);
}

TEST_F(CascadeTest, ADuplicateOfAFailureIsOneToo) {
  auto options = small();
  options.keys = "visible / 2";
  EXPECT_EQ(judge(test::make_kernel(options), 1).kind, OutcomeKind::incorrect);
  EXPECT_EQ(judge(test::make_kernel(options), 2).kind, OutcomeKind::duplicate);
}

TEST_F(CascadeTest, CodeThatDoesNotCompileSaysWhere) {
  auto options = small();
  options.before = "  undeclared(q);";
  const Outcome outcome = judge(test::make_kernel(options));
  expect(outcome, OutcomeKind::compile_failed, Stage::compile, "undeclared");
  EXPECT_THAT(outcome.message, HasSubstr("candidate-1.cpu:"));
}

TEST_F(CascadeTest, WrongAnswersAreIncorrect) {
  auto options = small();
  options.keys = "visible / 2";
  const Outcome outcome = judge(test::make_kernel(options));
  expect(outcome, OutcomeKind::incorrect, Stage::screen, "");
  const Json& last = outcome.details.at("gate").back();
  EXPECT_EQ(last.at("right"), false);
  EXPECT_EQ(last.at("outcome"), "incorrect");
}

// Right in the screen's one case, wrong in one of the gate's.
TEST_F(CascadeTest, TheGateSeesWhatTheScreenDoesNot) {
  auto options = small();
  options.keys = "Lk == 1 ? 0 : visible";
  const Outcome outcome = judge(test::make_kernel(options));
  expect(outcome, OutcomeKind::incorrect, Stage::gate, "");
}

TEST_F(CascadeTest, WritingOutsideIsOutOfBounds) {
  auto options = small();
  options.after = "  out[D] = 0.5f;";
  expect(judge(test::make_kernel(options)), OutcomeKind::out_of_bounds,
         Stage::screen, "");
}

TEST_F(CascadeTest, AnswersByAddressAreNondeterministic) {
  auto options = small();
  options.before =
      "  const float hair = (reinterpret_cast<uintptr_t>(output) & 192) != 0 ? "
      "1.004f : 1.0f;";
  options.result = "acc[d] * hair";
  expect(judge(test::make_kernel(options)), OutcomeKind::nondeterministic,
         Stage::screen, "addresses");
}

TEST_F(CascadeTest, CrashesAndHangsAreOutcomes) {
  auto crash = small();
  crash.after = "  out[0] = k[int64_t{1} << 44];";
  expect(judge(test::make_kernel(crash), 1), OutcomeKind::crashed,
         Stage::screen, test::kCrashed);
  auto hang = small();
  hang.before = "  volatile int forever = 1;\n  while (forever) {\n  }";
  Cascade impatient(court().bench(), court().track(), court().reference(),
                    novelty_, quick_options(1'000));
  expect(impatient.judge(request_of(2, test::make_kernel(hang))),
         OutcomeKind::timed_out, Stage::screen, "");
  // Neither does any harm to the next one.
  EXPECT_EQ(judge(test::honest_kernel(), 3).kind, OutcomeKind::measured);
}

// The text of a file may differ where its machine code does not.
TEST_F(CascadeTest, WhereItIsTheReferenceNothingIsRaced) {
  const Outcome outcome = judge(test::honest_kernel("another text"));
  ASSERT_EQ(outcome.kind, OutcomeKind::measured) << outcome.message;
  ASSERT_EQ(outcome.measurements->shapes.size(), 1U);
  const ShapeMeasurement& shape = outcome.measurements->shapes[0];
  EXPECT_TRUE(shape.same_code);
  EXPECT_TRUE(shape.pairs.empty());
  EXPECT_EQ(shape.speedup, 1);
  EXPECT_EQ(outcome.fitness->value, 1);
  EXPECT_EQ(outcome.fitness->low, 1);
  EXPECT_THAT(outcome.message,
              HasSubstr("the same machine code at 1 of 1 shapes"));
  EXPECT_GT(outcome.details.at("gate").size(), 3U);
  const auto read = outcome_from_json(Json::parse(to_json(outcome).dump()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->measurements->shapes[0].same_code);
  EXPECT_FALSE(judge(test::honest_kernel("new", 11), 2)
                   .measurements->shapes[0]
                   .same_code);
}

// Of two variants the second has other code in the other file.
TEST_F(CascadeTest, CasesThatTheSameCodePassedAreNotRunAgain) {
  const auto gate_of = [&](const std::string& text, CandidateId id) {
    const Outcome outcome = judge(text, id);
    EXPECT_EQ(outcome.kind, OutcomeKind::measured) << outcome.message;
    int before = 0;
    int now = 0;
    for (const Json& row : outcome.details.at("gate")) {
      EXPECT_EQ(row.at("right"), true);
      EXPECT_LT(row.at("row_ratio"), 1);
      ++(row.value("passed_before", false) ? before : now);
      EXPECT_EQ(row.at("ms") == 0, row.value("passed_before", false));
    }
    return std::pair(before, now);
  };
  // Candidates take turns with the seeds of the inputs.
  gate_of(test::two_variants(51), 1);
  gate_of(test::two_variants(52), 2);
  const auto [before, now] = gate_of(test::two_variants(53), 3);
  EXPECT_GE(before, 1);
  EXPECT_GT(now, before);
  std::string wrong = test::two_variants(54);
  wrong.replace(wrong.rfind("acc[d]"), 6, "2 * acc[d]");
  EXPECT_EQ(judge(wrong, 5).kind, OutcomeKind::incorrect);
}

TEST_F(CascadeTest, WhatDecidesACaseIsInItsKey) {
  const auto build = court().build(test::two_variants(55));
  const auto cases = court().problem().gate_cases(
      build->source(), test::small_workload(), GateLevel::screen);
  const auto pooled = [&](uint64_t number) {
    return court().bench().cases().get(cases.front(), number).value();
  };
  const GateOptions options;
  const std::string key = PassedCases::key(*pooled(0), *build, options);
  EXPECT_EQ(key, PassedCases::key(*pooled(0), *build, options));
  EXPECT_NE(key, PassedCases::key(*pooled(1), *build, options)) << "inputs";
  GateOptions probing = options;
  probing.probe_variants = !probing.probe_variants;
  EXPECT_NE(key, PassedCases::key(*pooled(0), *build, probing));
  std::string text = test::two_variants(55);
  text.replace(text.find("[[variant]]"), 0, "atomics = true\n\n");
  const auto careless = court().build(text);
  EXPECT_NE(key, PassedCases::key(*pooled(0), *careless, options));
}

TEST_F(CascadeTest, RemeasuringSkipsNoveltyAndGate) {
  ASSERT_EQ(judge(test::honest_kernel(), 1).kind, OutcomeKind::measured);
  EvaluationRequest again =
      request_of(1, test::honest_kernel(), EvaluationPurpose::remeasure);
  again.stop_below_fitness = 100;  // which is for first judgings only
  const Outcome outcome = cascade_.judge(again);
  EXPECT_EQ(outcome.kind, OutcomeKind::measured) << outcome.message;
  EXPECT_EQ(outcome.details.at("stopped_early"), false);
  EXPECT_EQ(outcome.details.at("gate").size(), 1U);
}

TEST_F(CascadeTest, AHopelessKernelIsNotTimedToTheEnd) {
  CascadeOptions options = quick_options();
  options.num_pairs = 6;
  // A machine that is busy may interrupt the reference for as long as a slow
  // kernel takes, and then one pair speaks for the kernel.
  bool stopped = false;
  for (int attempt = 0; attempt < 10 && !stopped; ++attempt) {
    Novelty novelty;
    Cascade cascade(court().bench(), court().track(), court().reference(),
                    novelty, options);
    EvaluationRequest request = request_of(1, test::make_slow_kernel(50));
    request.stop_below_fitness = 0.5;
    const Outcome outcome = cascade.judge(request);
    ASSERT_EQ(outcome.kind, OutcomeKind::measured) << outcome.message;
    EXPECT_LT(outcome.fitness->value, 0.5);
    stopped = outcome.details.at("stopped_early") == true;
  }
  EXPECT_TRUE(stopped);
}

// No honest kernel here beats the machine, so the numbers are made up.
TEST_F(CascadeTest, WhatTheMachineCannotDoIsImplausible) {
  const EvaluationRequest request = request_of(1, test::honest_kernel());
  Judging judging(court().bench(), request.candidate, court().track().shapes());
  judging.plan();
  ASSERT_FALSE(judging.done());
  ShapeMeasurement shape;
  shape.shape = court().track().shapes()[0].name;
  shape.baseline = "honest";
  shape.pairs = {{100, 0.001}};
  shape.candidate_us = 0.001;
  shape.roof_us =
      court().track().roof_us(court().track().shapes()[0], CacheState::cold);
  std::vector<ShapeMeasurement> shapes{shape};
  judging.veto_implausible(court().track(), court().track().shapes(), shapes);
  ASSERT_TRUE(judging.done());
  const Outcome outcome = judging.finish();
  EXPECT_EQ(outcome.kind, OutcomeKind::implausible);
  EXPECT_FALSE(outcome.ranked());
  ASSERT_TRUE(outcome.measurements);  // shown, never ranked
  EXPECT_THAT(outcome.message, HasSubstr(shape.shape));
}

// As on a GPU, where no kernel reaches the process that runs it.
TEST(CascadeInGateRunnersTest, WhatFailsWhereOthersRanIsJudgedAgain) {
  WorkbenchOptions options;
  options.gates_share_runners = true;
  test::Court court(options);
  Novelty novelty;
  Cascade cascade(court.bench(), court.track(), court.reference(), novelty,
                  quick_options());
  CandidateId next = 1;
  // How a kernel ends, and how many processes it took.
  const auto judge = [&](const std::string& text) {
    const int before = court.bench().pool().num_started();
    const Outcome outcome = cascade.judge(request_of(next++, text));
    return std::pair(outcome.kind, court.bench().pool().num_started() - before);
  };
  auto wrong = small();
  wrong.keys = "visible / 2";
  auto crash = small();
  crash.after = "  out[0] = k[int64_t{1} << 44];";
  EXPECT_EQ(judge(test::honest_kernel("new", 61)).first, OutcomeKind::measured);
  EXPECT_EQ(judge(test::honest_kernel("new", 62)),
            std::pair(OutcomeKind::measured, 0));
  EXPECT_EQ(judge(test::make_kernel(wrong)),
            std::pair(OutcomeKind::incorrect, 1));
  // What ran something wrong is not used again.
  EXPECT_EQ(judge(test::make_kernel(crash)),
            std::pair(OutcomeKind::crashed, 1));
  EXPECT_EQ(judge(test::honest_kernel("new", 63)),
            std::pair(OutcomeKind::measured, 1));
  EXPECT_EQ(judge(test::honest_kernel("new", 64)),
            std::pair(OutcomeKind::measured, 0));
}

// A program that vanishes is nobody's fault, and not remembered as one.
TEST(CascadeWithoutRunnerTest, InfrastructureFailuresAreForgotten) {
  test::TemporaryFolder folder;
  const std::string program = folder.file("evoke_runner");
  std::filesystem::copy_file(test::runner_path(), program);
  WorkbenchOptions options;
  options.runner_path = program;
  test::Court court(options);
  (void)test::value_of(court.reference().side());
  Novelty novelty;
  Cascade cascade(court.bench(), court.track(), court.reference(), novelty,
                  quick_options());
  std::filesystem::rename(program, program + ".away");
  const Outcome failed = cascade.judge(request_of(1, test::honest_kernel()));
  EXPECT_EQ(failed.kind, OutcomeKind::infrastructure_failed);
  EXPECT_THAT(failed.message, HasSubstr(program));
  EXPECT_FALSE(failed.fitness);
  std::filesystem::rename(program + ".away", program);
  const Outcome other = cascade.judge(request_of(2, test::honest_kernel()));
  EXPECT_EQ(other.kind, OutcomeKind::measured) << other.message;
}

}  // namespace
}  // namespace evoke::judge
