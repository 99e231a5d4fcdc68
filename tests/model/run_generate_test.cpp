#include "evoke/model/run_generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"
#include "evoke/model/tokenizer/tokenizer.h"
#include "tests/model/tiny_model.h"

namespace evoke::model {
namespace {

namespace fs = std::filesystem;
using test::tiny_config;
using test::TinyModel;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

GenerateRequest request_for(const TinyModel& model) {
  GenerateRequest request;
  request.model = model.path();
  request.prompt = "Hello";
  request.options.max_tokens = 12;
  return request;
}

GenerateReport run(const GenerateRequest& request) {
  return run_generate(request, fast_attention(),
                      [](std::string_view) { return true; });
}

TEST(RunGenerate, StreamsTheTextThatItReports) {
  const TinyModel model;
  std::string streamed;
  const GenerateReport report = run_generate(
      request_for(model), fast_attention(), [&](std::string_view text) {
        streamed += text;
        return true;
      });
  EXPECT_EQ(streamed, report.text);
  const auto tokenizer = Tokenizer::load(model.path());
  EXPECT_EQ(report.text, tokenizer->decode(report.generation.tokens, true));
  EXPECT_FALSE(report.text.empty());
  EXPECT_EQ(report.dtype, "float32");
  EXPECT_GT(report.weight_bytes, 300 * 32 * 4);
  EXPECT_GE(report.peak_memory_bytes, report.weight_bytes);
  EXPECT_GT(report.peak_resident_bytes, report.weight_bytes);
  // 2 layers, keys and values, 2 heads of 16, 256 tokens.
  EXPECT_EQ(report.kv_cache_bytes, 2 * 2 * 2 * 16 * 256 * 4);
}

TEST(RunGenerate, UsesThePromptAsItIsWithoutAChatTemplate) {
  const TinyModel model;
  GenerateRequest request = request_for(model);
  const GenerateReport as_found = run(request);
  EXPECT_THAT(as_found.warnings, ElementsAre(HasSubstr("no chat template")));
  EXPECT_EQ(as_found.generation.prompt_tokens, 5);
  request.ignore_chat_template = true;
  EXPECT_TRUE(run(request).warnings.empty());
  request.prompt.clear();
  request.prompt_ids = {'H', 'e', 'l', 'l', 'o'};
  EXPECT_EQ(run(request).text, as_found.text);
}

TEST(RunGenerate, WritesAMessageWhereThereIsATemplate) {
  const TinyModel model;
  write_text(model.file("chat_template.jinja"), "{{ messages }}");
  const GenerateReport report = run(request_for(model));
  EXPECT_THAT(report.warnings, ElementsAre(HasSubstr("not Qwen3's")));
  const std::string message =
      "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(report.generation.prompt_tokens, message.size());
}

TEST(RunGenerate, EndsWhereTheTokenizerSaysIfNothingElseDoes) {
  Json config = tiny_config();
  config.erase("eos_token_id");
  const TinyModel model(config);
  GenerateRequest request = request_for(model);
  request.options.ignore_eos = true;
  const GenerateReport whole = run(request);
  int32_t last = whole.generation.tokens.back();
  for (const int32_t id : whole.generation.tokens) {
    if (id >= 33 && id < 127) last = id;  // a byte that is its own symbol
  }
  ASSERT_LT(last, 256);
  const auto tokenizer = Tokenizer::load(model.path());
  write_text(model.file("tokenizer_config.json"),
             Json({{"eos_token", tokenizer->token(last)}}).dump());
  request.options.ignore_eos = false;
  EXPECT_EQ(run(request).generation.finish_reason, FinishReason::stop);
}

TEST(RunGenerate, ReportsAsJsonAndInThreeLines) {
  const TinyModel model;
  const GenerateReport report = run(request_for(model));
  const Json json = to_json(report);
  EXPECT_EQ(json["text"], report.text);
  EXPECT_EQ(json["tokens"], report.generation.tokens);
  EXPECT_EQ(json["finish_reason"], "length");
  EXPECT_EQ(json["prompt_tokens"], 5);
  EXPECT_EQ(json["generation_tokens"], 12);
  EXPECT_GT(json["generation_tokens_per_s"], 0);
  EXPECT_THAT(summary(report), HasSubstr("Prompt: 5 tokens, "));
  EXPECT_THAT(summary(report), HasSubstr("\nGeneration: 12 tokens, "));
  EXPECT_THAT(summary(report), HasSubstr("\nPeak memory: "));
}

std::string fault_of(const GenerateRequest& request) {
  try {
    run(request);
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    return error.what();
  }
  return "no fault";
}

TEST(RunGenerate, SaysInOneLineWhatIsWrongWithAFolder) {
  struct Fault {
    void (*make)(const TinyModel&);
    const char* says;
  };
  const Fault faults[] = {
      {[](const TinyModel& model) { fs::remove_all(model.path()); },
       "no such folder"},
      {[](const TinyModel& model) { fs::remove(model.file("config.json")); },
       "no config.json"},
      {[](const TinyModel& model) {
         write_text(model.file("config.json"), "");
       },
       "config.json: damaged or cut short"},
      {[](const TinyModel& model) {
         Json config = tiny_config();
         config["model_type"] = "gemma3";
         model.write_config(config);
       },
       "\"gemma3\""},
      {[](const TinyModel& model) { fs::remove(model.file("tokenizer.json")); },
       "tokenizer.json: No such file"},
      {[](const TinyModel& model) {
         write_text(model.file("tokenizer.json"), "{\"version\"");
       },
       "tokenizer.json"},
      {[](const TinyModel& model) {
         fs::remove(model.file("model.safetensors"));
       },
       "no weights"},
      {[](const TinyModel& model) {
         fs::resize_file(model.file("model.safetensors"), 50000);
       },
       "model.safetensors: cut short"},
      {[](const TinyModel& model) {
         write_text(model.file("generation_config.json"), "[1]");
       },
       "generation_config.json"},
  };
  for (const Fault& fault : faults) {
    const TinyModel model;
    ASSERT_EQ(fault_of(request_for(model)), "no fault");
    fault.make(model);
    EXPECT_THAT(fault_of(request_for(model)), HasSubstr(fault.says));
  }
}

TEST(RunGenerate, RefusesPromptsThatDoNotFitTogether) {
  const TinyModel model;
  GenerateRequest request = request_for(model);
  request.prompt_ids = {1};
  EXPECT_THROW(run(request), UsageError);
  request = request_for(model);
  request.prompt.clear();
  EXPECT_THROW(run(request), UsageError);
  request = request_for(model);
  request.prompt = "\xff";
  EXPECT_THAT(fault_of(request), HasSubstr("UTF-8"));
  request = request_for(model);
  request.system_prompt = "Be brief.";
  request.ignore_chat_template = true;
  EXPECT_THROW(run(request), UsageError);
  EXPECT_THROW(parse_dtype("int8"), UsageError);
}

}  // namespace
}  // namespace evoke::model
