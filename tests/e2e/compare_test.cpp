// `evoke compare` with a real model (tiny, random weights) and a real kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

#include "evoke/base/fd.h"
#include "tests/e2e/program.h"

namespace evoke::test {
namespace {

using ::testing::HasSubstr;

// Attention, one row per threadgroup, for the shapes of `when`.
std::string kernel_text(const std::string& when,
                        const std::string& last = "acc[d] / sum") {
  return "/*evoke\nproblem = \"attention\"\nsummary = \"one pass\"\n"
         "[[variant]]\nname = \"rows\"\nwhen = \"" +
         when + R"("
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
KERNEL(attend) {
  const int h = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  const int kv = h / (Hq / Hkv);
  const bfloat16* q = query + b * query_strides[0] + h * query_strides[1] +
                      i * query_strides[2];
  const bfloat16* k = key + b * key_strides[0] + kv * key_strides[1];
  const bfloat16* v = value + b * value_strides[0] + kv * value_strides[1];
  const int last = causal ? Lk - Lq + i + 1 : Lk;
  float peak = -INFINITY;
  float sum = 0.0f;
  float acc[D] = {};
  for (int j = 0; j < last; ++j) {
    float score = 0.0f;
    for (int d = 0; d < D; ++d) {
      score += static_cast<float>(q[d]) *
               static_cast<float>(k[j * key_strides[2] + d]);
    }
    score *= scale;
    const float top = std::max(peak, score);
    const float old = std::exp(peak - top);
    const float weight = std::exp(score - top);
    sum = sum * old + weight;
    peak = top;
    for (int d = 0; d < D; ++d) {
      acc[d] = acc[d] * old +
               weight * static_cast<float>(v[j * value_strides[2] + d]);
    }
  }
  bfloat16* out = output + b * output_strides[0] + h * output_strides[1] +
                  i * output_strides[2];
  for (int d = 0; d < D; ++d) out[d] = )" +
         last + ";\n}\n";
}

class CompareTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SubprocessOptions options;
    options.arguments = {EVOKE_PYTHON, EVOKE_MAKE_MODEL, desk_.file("model"),
                         "--shape",    "tiny",           "--dtype",
                         "bfloat16"};
    options.environment = {"PATH=/usr/bin:/bin", "HOME=" + desk_.folder()};
    auto made = Subprocess::start(options);
    if (!made) GTEST_SKIP() << made.error().message;
    const auto status = made->wait(120'000);
    if (!status || !status->ok()) {
      GTEST_SKIP() << "no model could be made: " << made->output();
    }
  }

  std::vector<std::string> command(
      const std::string& output,
      const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"compare",
                                          "--model",
                                          "model",
                                          "--scenarios",
                                          "micro_generation,short_generation",
                                          "--max-tokens-cap",
                                          "6",
                                          "--pairs",
                                          "2",
                                          "--agreement-tokens",
                                          "3",
                                          "-o",
                                          output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Json results(const std::string& output) const {
    const auto text = read_file(desk_.file(output + "/results.json"));
    return text ? Json::parse(*text) : Json();
  }
  std::vector<Json> journal(const std::string& output) const {
    std::vector<Json> lines;
    std::istringstream text(
        read_file(desk_.file(output + "/pairs.jsonl")).value_or(""));
    for (std::string line; std::getline(text, line);) {
      lines.push_back(Json::parse(line, nullptr, false));
    }
    return lines;
  }
  Ended evoke_model(const std::vector<std::string>& arguments) const {
    Subprocess process = desk_.start(arguments, EVOKE_MODEL_PROGRAM);
    const auto status = process.wait(60'000);
    return {status ? status->code : -1, status ? status->signal : 0,
            process.output()};
  }
  Desk desk_;
};

TEST_F(CompareTest, TheKernelRanAndSaysSo) {
  desk_.write("mine.cpp", kernel_text("1"));
  const Ended ended = desk_.run(command("out", {"--kernel", "mine.cpp"}));
  ASSERT_EQ(ended.code, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("10/10"));
  const Json json = results("out");
  EXPECT_THAT(json["gate"].get<std::string>(), HasSubstr("full"));
  ASSERT_EQ(json["scenarios"].size(), 2U);
  for (const Json& each : json["scenarios"]) {
    EXPECT_FALSE(each["generation"].contains("no_speedup_because")) << each;
    EXPECT_EQ(each["generation"]["verdict"], "cannot tell");  // of two pairs
    EXPECT_EQ(each["pairs"], 2);
    EXPECT_EQ(each["agreement"]["positions"], 3);
    EXPECT_LT(each["agreement"]["max_kl"], 0.05);
  }
  // Three layers; the warm-up's four tokens and six: (3 + 5) steps of one
  // token, and each prompt's last layer, which asks for one row.
  const Json pair = journal("out").at(1);
  const Json& attestation = pair["kernel"]["attestation"];
  EXPECT_EQ(attestation["decode"]["expected"], 3 * (3 + 5) + 2);
  EXPECT_EQ(attestation["prompt"]["expected"], 2 * 2);
  EXPECT_EQ(attestation["dispatches"]["rows"], 3 * 8 + 2 + 4);
  EXPECT_EQ(attestation["copies"], 0);
  EXPECT_EQ(pair["baseline"]["attestation"]["kernel_hash"], "");

  // The same command again has nothing left to do.
  const auto before = journal("out");
  ASSERT_EQ(desk_.run(command("out", {"--kernel", "mine.cpp"})).code, 0);
  EXPECT_EQ(journal("out"), before);

  // Changed after it was judged: neither program takes it.
  const std::string other = kernel_text("1") + "// changed\n";
  desk_.write("out/kernel.cpp", other);
  const Ended refused = desk_.run(command("out", {"--kernel", "mine.cpp"}));
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.output, HasSubstr("is another kernel"));
  const Ended direct = evoke_model({"generate", "--model", "model", "--prompt",
                                    "hello", "--kernel", "out/kernel.cpp"});
  EXPECT_EQ(direct.code, 1);
  EXPECT_THAT(direct.output, HasSubstr("has not passed the gate"));
  EXPECT_THAT(direct.output, HasSubstr("evoke verify out/kernel.cpp --heads "
                                       "4-2-32"));

  // What passed runs in evoke_model by itself, too.
  const Ended text = evoke_model({"generate", "--model", "model", "--prompt",
                                  "hello", "--max-tokens", "3", "--ignore-eos",
                                  "--kernel", "mine.cpp"});
  EXPECT_EQ(text.code, 0) << text.output;
  EXPECT_THAT(text.output, HasSubstr("rows x 9 of 9 calls of attention"));
}

TEST_F(CompareTest, AMissingVariantRefusesTheSpeedUp) {
  desk_.write("decode.cpp", kernel_text("Lq == 1 && Lk >= 26"));
  const Ended ended = desk_.run(command("out", {"--kernel", "decode.cpp"}));
  ASSERT_EQ(ended.code, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("No speed-up is stated"));
  const Json json = results("out");
  for (const Json& each : json["scenarios"]) {
    EXPECT_THAT(each["prompt"]["no_speedup_because"].get<std::string>(),
                HasSubstr("calls fell back"));
    EXPECT_FALSE(each["prompt"].contains("speedup"));
  }
}

TEST_F(CompareTest, AWrongKernelIsNotRun) {
  desk_.write("wrong.cpp", kernel_text("1", "acc[d] / sum + 0.5f"));
  const Ended ended = desk_.run(command("out", {"--kernel", "wrong.cpp"}));
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output, HasSubstr("does not pass the gate"));
  EXPECT_FALSE(std::filesystem::exists(desk_.file("out/pairs.jsonl")));
}

TEST_F(CompareTest, GoesOnAfterAKill) {
  // The baseline alone: what is killed and goes on is the same.
  const std::vector<std::string> arguments = command("out", {"--pairs", "4"});
  Subprocess process = desk_.start(arguments);
  for (int i = 0; i < 600 && journal("out").size() < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  process.kill();
  const auto before = journal("out");
  ASSERT_GE(before.size(), 3U);
  const Ended ended = desk_.run(arguments);
  ASSERT_EQ(ended.code, 0) << ended.output;
  const auto after = journal("out");
  EXPECT_EQ(after.size(), 1U + 8);
  EXPECT_TRUE(std::equal(before.begin(), before.end() - 1, after.begin()));
  EXPECT_EQ(results("out")["kernel_hash"], "");
}

TEST_F(CompareTest, SaysWhatIsWrong) {
  const auto expect = [&](const std::vector<std::string>& more, int code,
                          const std::string& message) {
    std::vector<std::string> arguments = {"compare"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ended ended = desk_.run(arguments);
    EXPECT_EQ(ended.code, code) << ended.output;
    EXPECT_THAT(ended.output, HasSubstr(message));
    EXPECT_EQ(std::count(ended.output.begin(), ended.output.end(), '\n'), 1)
        << ended.output;
  };
  expect({}, 2, "--model is required");
  expect({"--model", "nowhere"}, 1, "nowhere");
  expect({"--model", "model", "--scenarios", "short"}, 1,
         "no scenario is called 'short'");
  expect({"--model", "model", "--kernel", "a.cpp", "--run", "r"}, 2,
         "not both");
  expect({"--model", "model", "--mode", "compare"}, 1, "no run");
  desk_.write("m.metal", kernel_text("1"));
  EXPECT_EQ(desk_.run({"compare", "--list"}).code, 0);
}

}  // namespace
}  // namespace evoke::test
