// Commands about kernels, and everything that can be got wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "evoke/core/kernel_source.h"
#include "tests/e2e/program.h"

namespace evoke::test {
namespace {

namespace fs = std::filesystem;

// One that compiles and gives wrong answers.
std::string wrong_kernel() {
  std::ifstream file(EVOKE_KERNELS "/attention/cpu/three_pass.cpp");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string sound = "= scale * ";
  text.replace(text.find(sound), sound.size(), "= 1.05f * scale * ");
  return text;
}

TEST(Verify, TellsRightFromWrong) {
  const Desk desk;
  fs::copy_file(EVOKE_KERNELS "/attention/cpu/three_pass.cpp",
                desk.file("right.cpp"));
  const Json right =
      desk.json({"verify", "right.cpp", "--quick", "--workload", "tiny.toml"});
  EXPECT_TRUE(right["right"].get<bool>());
  EXPECT_GT(right["cases"].size(), 5U);

  desk.write("wrong.cpp", wrong_kernel());
  const Ended wrong =
      desk.run({"verify", "wrong.cpp", "--quick", "--workload", "tiny.toml"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.output.find("WRONG"), std::string::npos) << wrong.output;
  EXPECT_NE(wrong.output.find("of its limit"), std::string::npos)
      << wrong.output;  // it ran
}

TEST(Bench, RacesKernelsAgainstAnother) {
  const Desk desk;
  const std::string kernels = EVOKE_KERNELS "/attention/cpu/";
  const Json results = desk.json({"bench", kernels + "composite.cpp",
                                  kernels + "prefill_tiled.cpp", "--against",
                                  kernels + "three_pass.cpp", "--workload",
                                  "tiny.toml", "--pairs", "5", "--warm"});
  ASSERT_EQ(results.size(), 2U);
  for (const Json& result : results) {
    const Json& shapes = result["measurements"]["shapes"];
    ASSERT_EQ(shapes.size(), 4U);  // two sizes, cold and warm
    for (const Json& each : shapes) {
      EXPECT_EQ(each["baseline"], "three_pass");
      EXPECT_GE(each["pairs"].size(), 1U);
      EXPECT_GT(each["speedup"].get<double>(), 0);
    }
  }
}

TEST(Profile, ShowsWhatAKernelIsMadeOfAndItsTime) {
  const Desk desk;
  const std::string kernel = EVOKE_KERNELS "/attention/cpu/composite.cpp";
  const Json result =
      desk.json({"profile", kernel, "--workload", "tiny.toml", "--shape",
                 "decode-96", "--shape", "Lq=8,Lk=8", "--pairs", "3"});
  EXPECT_EQ(result["device"], "cpu");
  ASSERT_EQ(result["shapes"].size(), 2U);
  for (const Json& shape : result["shapes"]) {
    EXPECT_GT(shape["launches"].size(), 0U);
    EXPECT_GT(shape["report"]["code_bytes"].get<int64_t>(), 0);
    EXPECT_GT(shape["work"]["flops"].get<double>(), 0);
    EXPECT_GT(shape["time"]["us"].get<double>(), 0);
    EXPECT_GT(shape["time"]["of_roof"].get<double>(), 0);
    EXPECT_GE(shape["time"]["samples_us"].size(), 2U);
  }
  EXPECT_FALSE(result.contains("not_timed"));
  EXPECT_FALSE(result.contains("not_profiled"));  // no GPU, no word about it
}

TEST(Profile, SaysWhereThereIsNoTimeToShow) {
  const Desk desk;
  desk.write("wrong.cpp", wrong_kernel());
  const Ended wrong =
      desk.run({"profile", "wrong.cpp", "--workload", "tiny.toml"});
  EXPECT_EQ(wrong.code, 1);
  for (const char* part : {" of code", "WRONG incorrect", "not timed"}) {
    EXPECT_NE(wrong.output.find(part), std::string::npos) << wrong.output;
  }
#ifdef __linux__
  const Ended metal =
      desk.run({"profile", EVOKE_KERNELS "/attention/metal/composite.metal",
                "--shape", "decode-256"});
  if (metal.output.find("clang") != std::string::npos && metal.code != 0) {
    GTEST_SKIP() << metal.output;
  }
  EXPECT_EQ(metal.code, 0) << metal.output;
  EXPECT_NE(metal.output.find("not timed"), std::string::npos) << metal.output;
  EXPECT_NE(metal.output.find("launch"), std::string::npos) << metal.output;
#endif
}

TEST(Doctor, SaysWhatThisMachineCanDo) {
  const Desk desk;
  const Json findings = desk.json({"doctor"});
  for (const char* topic : {"machine", "compiler", "confinement"}) {
    EXPECT_TRUE(std::any_of(findings.begin(), findings.end(),
                            [&](const Json& each) {
                              return each["topic"] == topic &&
                                     each["good"].get<bool>();
                            }))
        << topic;
  }
}

TEST(Export, GivesMetalSourceThatImportTakesBack) {
  const Desk desk;
  const std::string seed = EVOKE_KERNELS "/attention/metal/composite.metal";
  ASSERT_EQ(
      desk.run({"export", seed, "--format", "metal", "-o", "text.metal"}).code,
      0);
  const Ended back = desk.run({"import", "text.metal", "-o", "back.metal"});
  EXPECT_EQ(back.code, 0) << back.output;
  // What is compiled from it is the same again.
  ASSERT_EQ(desk.run({"export", "back.metal", "--format", "metal", "-o",
                      "again.metal"})
                .code,
            0);
  ASSERT_EQ(desk.run({"import", "again.metal", "-o", "third.metal"}).code, 0);
  const auto read = [&](const char* name) {
    std::ifstream file(desk.file(name));
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  EXPECT_EQ(read("back.metal"), read("third.metal"));
}

// What a kernel file says, less where its kernels stand and how it is spaced.
std::string without_blanks(std::string text) {
  std::erase_if(text, [](unsigned char c) { return std::isspace(c) != 0; });
  std::sort(text.begin(), text.end());
  return text;
}

TEST(Export, GivesAModuleThatImportTakesBack) {
  const Desk desk;
  const std::string seed = EVOKE_KERNELS "/attention/metal/composite.metal";
  const Ended out =
      desk.run({"export", seed, "--format", "mlx-python", "-o", "module.py"});
  ASSERT_EQ(out.code, 0) << out.output;
  const Ended back = desk.run({"import", "module.py", "-o", "back.metal"});
  if (back.output.find("no such interpreter") != std::string::npos) {
    GTEST_SKIP() << back.output;
  }
  ASSERT_EQ(back.code, 0) << back.output;
  const auto exported = KernelSource::read(seed);
  const auto imported = KernelSource::read(desk.file("back.metal"));
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported->plan(), exported->plan());
  EXPECT_EQ(without_blanks(std::string(imported->code())),
            without_blanks(std::string(exported->code())));
}

TEST(CheckOnly, KeepsProposalsThatAreRightAndTimesNothing) {
  const Desk desk;
  const Ended ended = desk.run(
      {"evolve", EVOKE_KERNELS "/attention/cpu/three_pass.cpp", "--check-only",
       "--iterations", "2", "--workload", "tiny.toml", "-o", "checked"});
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_NE(ended.output.find("nothing was timed"), std::string::npos);
  std::ifstream log(desk.file("checked/checked.jsonl"));
  int lines = 0;
  int kept = 0;
  for (std::string line; std::getline(log, line); ++lines) {
    const Json entry = Json::parse(line);
    if (!entry["right"].get<bool>()) continue;
    ++kept;
    EXPECT_TRUE(
        fs::exists(desk.file("checked/" + entry["file"].get<std::string>())));
  }
  EXPECT_EQ(lines, 3);  // the founder and two proposals
  EXPECT_GE(kept, 1);
  const Ended again = desk.run(
      {"evolve", EVOKE_KERNELS "/attention/cpu/three_pass.cpp", "--check-only",
       "--iterations", "2", "--workload", "tiny.toml", "-o", "checked"});
  EXPECT_EQ(again.code, 1);
  EXPECT_NE(again.output.find("holds checked kernels"), std::string::npos);
}

// A kernel that takes one query at a time.
std::string decode_only() {
  std::ifstream file(EVOKE_KERNELS "/attention/cpu/three_pass.cpp");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string every = "when = \"1\"";
  text.replace(text.find(every), every.size(), "when = \"Lq == 1\"");
  return text;
}

struct Misuse {
  const char* name;
  std::vector<std::string> arguments;
  const char* says;  // somewhere in the one line
};
void PrintTo(const Misuse& misuse, std::ostream* out) { *out << misuse.name; }

class MisuseTest : public ::testing::TestWithParam<Misuse> {};

TEST_P(MisuseTest, GetsOneLineWithAWayOut) {
  const Desk desk;
  desk.write("not_a_kernel.cpp", "int main() {}\n");
  desk.write("bad_plan.cpp",
             "/*evoke\nproblem = \"attention\"\nbogus = 1\nevoke*/\n");
  desk.write("bad_config.toml", "workload = \"quick\"\niterationz = 3\n");
  desk.write("bad_workload.toml", "[[shape]]\nLk = -3\n");
  desk.write("few_pairs.toml", "[timing]\nconfirm_pairs = 5\n");
  desk.write("prefill.toml", "[[shape]]\nLq = 64\nLk = 64\n");
  desk.write("decode_only.cpp", decode_only());
  desk.write("huge.toml", "[[shape]]\nB = 4096\nLk = 4000000\n");
  fs::create_directory(desk.file("folder.cpp"));
  fs::create_symlink("circle.cpp", desk.file("circle.cpp"));
  fs::create_directory(desk.file("empty"));
  fs::create_directory(desk.file("damaged"));
  desk.write("damaged/run.db", "this is no database, and never was one");
  const Ended ended = desk.run(GetParam().arguments);
  EXPECT_NE(ended.code, 0);
  EXPECT_EQ(ended.signal, 0);
  EXPECT_EQ(ended.output.rfind("evoke: ", 0), 0U) << ended.output;
  EXPECT_EQ(std::count(ended.output.begin(), ended.output.end(), '\n'), 1)
      << ended.output;
  EXPECT_NE(ended.output.find(GetParam().says), std::string::npos)
      << ended.output;
}

const Misuse kMisuses[] = {
    {"no_command", {"frobnicate"}, "frobnicate"},
    {"missing_kernel", {"evolve", "nowhere.cpp"}, "nowhere.cpp"},
    {"import_nothing", {"import", "nowhere.py"}, "nowhere.py"},
    {"import_to_another_dialect",
     {"import", "bad_config.toml", "-o", "out.cpp"},
     ".metal"},
    {"no_plan", {"verify", "not_a_kernel.cpp"}, "not_a_kernel.cpp:1"},
    {"bad_plan", {"verify", "bad_plan.cpp"}, "bad_plan.cpp:3"},
    {"folder_as_kernel", {"verify", "folder.cpp"}, "is a folder"},
    {"unreadable_kernel", {"verify", "circle.cpp"}, "circle.cpp: "},
    {"verify_without_variant",
     {"verify", "decode_only.cpp", "--workload", "prefill.toml"},
     "no variant takes any shape of prefill"},
    {"bench_without_variant",
     {"bench", "decode_only.cpp", "--workload", "prefill.toml"},
     "no variant takes any shape of prefill"},
    {"profile_without_variant",
     {"profile", "decode_only.cpp", "--workload", "prefill.toml"},
     "no variant takes any shape of prefill"},
    {"profile_unknown_shape",
     {"profile", "decode_only.cpp", "--shape", "decode-4095"},
     "decode-4096"},
    {"profile_bad_letters",
     {"profile", "decode_only.cpp", "--shape", "Lk=many"},
     "Lk=many"},
    {"profile_beyond_memory",
     {"profile", "decode_only.cpp", "--shape", "B=4096,Lk=4000000"},
     "GB of memory are free"},
    {"profile_on_another_device",
     {"profile", "decode_only.cpp", "--device", "cuda"},
     "does not run"},
    {"bench_on_another_device",
     {"bench", "decode_only.cpp", "--device", "cuda"},
     "does not run"},
    {"evolve_without_variant",
     {"evolve", "decode_only.cpp", "--workload", "prefill.toml"},
     "no variant for prefill-64"},
    {"workload_beyond_memory",
     {"evolve", "--workload", "huge.toml"},
     "GB of memory are free"},
    {"verify_beyond_memory",
     {"verify", "decode_only.cpp", "--workload", "huge.toml"},
     "GB of memory are free"},
    {"unknown_dialect", {"verify", "small.toml"}, "dialect"},
    {"unknown_device", {"evolve", "--device", "tpu"}, "tpu"},
    {"device_not_here", {"evolve", "--device", "metal"}, "metal"},
    {"no_such_gpu", {"evolve", "--device", "cuda:99"}, "cuda:99"},
    {"processor_twice", {"evolve", "--device", "cpu,cpu"}, "cuda:0,cuda:1"},
    {"selftest_on_several",
     {"selftest", "--device", "cuda:0,cuda:1"},
     "one device"},
    {"unknown_workload", {"evolve", "--workload", "huge"}, "huge"},
    {"bad_workload",
     {"evolve", "--workload", "bad_workload.toml"},
     "bad_workload.toml"},
    {"bad_config", {"evolve", "--config", "bad_config.toml"}, ":2"},
    {"few_pairs", {"evolve", "--config", "few_pairs.toml"}, "confirm_pairs"},
    {"bad_duration", {"evolve", "--time-budget", "soon"}, "soon"},
    {"bad_number", {"evolve", "--iterations", "many"}, "many"},
    {"seeds_without_kernels", {"evolve", "--seeds", "empty"}, "empty"},
    {"no_run", {"status", "nowhere"}, "nowhere"},
    {"no_run_here", {"status"}, "run"},
    {"empty_run", {"status", "empty"}, "empty"},
    {"damaged_run", {"status", "damaged"}, "damaged"},
    {"resume_damaged", {"evolve", "--resume", "damaged"}, "damaged"},
    {"resume_nothing", {"evolve", "--resume", "nowhere"}, "nowhere"},
    {"place_not_writable", {"evolve", "-o", "/proc/evoke"}, "/proc/evoke"},
    {"against_nothing",
     {"bench", EVOKE_KERNELS "/attention/cpu/composite.cpp", "--against",
      "nowhere.cpp"},
     "nowhere.cpp"},
    {"unknown_proposer", {"evolve", "--proposer", "oracle"}, "oracle"},
};
INSTANTIATE_TEST_SUITE_P(All, MisuseTest, ::testing::ValuesIn(kMisuses),
                         [](const auto& each) {
                           return std::string(each.param.name);
                         });

TEST(Programs, EveryCommandHasExamplesOfItsOwn) {
  const Desk desk;
  for (const std::string command :
       {"evolve", "verify", "bench", "profile", "selftest", "status", "inspect",
        "report", "export", "compare", "generate", "inbox", "import",
        "doctor"}) {
    if (command == "generate" && !fs::exists(EVOKE_MODEL_PROGRAM)) continue;
    const Ended help = desk.run({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    const auto examples = help.output.find("Examples:");
    ASSERT_NE(examples, std::string::npos) << help.output;
    EXPECT_NE(help.output.find("evoke " + command, examples), std::string::npos)
        << help.output;
    const std::string other = command == "doctor" ? "selftest" : "doctor";
    EXPECT_EQ(help.output.find("evoke " + other, examples), std::string::npos)
        << help.output;
  }
}

TEST(Programs, ACompilerThatIsMissingIsNamed) {
  const Desk desk;
  for (const char* command : {"verify", "bench", "evolve"}) {
    Subprocess process =
        desk.start({command, EVOKE_KERNELS "/attention/cpu/three_pass.cpp",
                    "--workload", "tiny.toml"},
                   {}, "PATH=" + desk.folder());
    const auto status = process.wait(30'000);
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->code, 1);
    const std::string output = process.output();
    EXPECT_NE(output.find("no C++ compiler answers"), std::string::npos)
        << output;
    EXPECT_NE(output.find("install g++"), std::string::npos) << output;
    EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1) << output;
  }
}

TEST(Programs, ARunnerThatIsMissingIsNamed) {
  const Desk desk;
  fs::copy_file(EVOKE_PROGRAM, desk.file("evoke"));
  Subprocess process =
      desk.start({"verify", EVOKE_KERNELS "/attention/cpu/three_pass.cpp"},
                 desk.file("evoke"));
  const auto status = process.wait(30'000);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->code, 1);
  EXPECT_NE(process.output().find("evoke_runner is missing"), std::string::npos)
      << process.output();
}

}  // namespace
}  // namespace evoke::test
