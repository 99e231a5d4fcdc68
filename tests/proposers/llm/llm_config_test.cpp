#include "evoke/proposers/llm/llm_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/temporary_folder.h"

namespace evoke::llm {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kKey[] = "sk-very-secret-0123456789";

// Sets or removes variables, and puts back what was there.
class Environment {
 public:
  Environment(
      std::initializer_list<std::pair<const char*, const char*>> variables) {
    for (const char* name : {"OPENAI_API_KEY", "OPENAI_BASE_URL",
                             "OPENAI_API_BASE", "GEMINI_API_KEY"}) {
      const char* const value = std::getenv(name);
      before_.emplace_back(name, value == nullptr ? "" : value);
      ::unsetenv(name);
    }
    for (const auto& [name, value] : variables) ::setenv(name, value, 1);
  }
  ~Environment() {
    for (const auto& [name, value] : before_) {
      value.empty() ? ::unsetenv(name) : ::setenv(name, value.c_str(), 1);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::vector<std::pair<const char*, std::string>> before_;
};

constexpr char kConfig[] = R"(
prompt_tokens = 20000
budget_usd = 2.5
[[service]]
name = "openai"
[[service]]
name = "gemini"
[[service]]
name = "local"
base_url = "http://127.0.0.1:8000/v1"
timeout_s = 900
[[model]]
name = "gpt-5-mini"
weight = 0.7
reasoning_effort = "low"
max_completion_tokens = 8000
[[model]]
name = "gemini-2.5-flash"
service = "gemini"
weight = 0.3
temperature = 0.8
top_p = 0.95
max_tokens = 8192
seed = 5
input_price = 0.5
output_price = 3
)";

TEST(LlmConfig, ReadsServicesAndModels) {
  const auto config = llm_config_from_toml(kConfig, "llm.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->budget_usd, 2.5);
  EXPECT_EQ(config->services[0].key_variable, "OPENAI_API_KEY");
  EXPECT_EQ(config->services[1].key_variable, "GEMINI_API_KEY");
  EXPECT_THAT(config->services[1].base_url, HasSubstr("googleapis"));
  EXPECT_FALSE(config->services[1].send_seed);
  // Keys go only where the user sends them.
  EXPECT_EQ(config->services[2].key_variable, "");
  EXPECT_FALSE(config->services[2].key_required);
  EXPECT_EQ(config->models[0].parameters.temperature, std::nullopt);
  EXPECT_EQ(config->models[0].parameters.max_completion_tokens, 8000);
  EXPECT_EQ(config->models[1].parameters.seed, 5);
}

TEST(LlmConfig, PrintsWhatItReads) {
  const auto config = llm_config_from_toml(kConfig, "llm.toml").value();
  const auto again = llm_config_from_toml(to_toml(config), "again.toml");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, config);
}

TEST(LlmConfig, ErrorsNameFileLineAndKey) {
  const auto error = [](std::string_view text) {
    const auto parsed = llm_config_from_toml(text, "llm.toml");
    return parsed ? std::string("none") : parsed.error().message;
  };
  EXPECT_THAT(error(""), HasSubstr("at least one [[model]]"));
  EXPECT_THAT(error("[[model]]\nweight = 1\n"), HasSubstr("name"));
  EXPECT_THAT(error("[[model]]\nname = \"m\"\ntemprature = 1\n"),
              HasSubstr("llm.toml:3: model[0].temprature"));
  EXPECT_THAT(error("[[model]]\nname = \"m\"\ntop_p = 1.5\n"),
              HasSubstr("llm.toml:3:"));
  EXPECT_THAT(error("[[model]]\nname = \"m\"\nservice = \"opnai\"\n"),
              HasSubstr("did you mean 'openai'"));
  EXPECT_THAT(error("[[model]]\nname = \"m\"\nmax_tokens = 1\n"
                    "max_completion_tokens = 1\n"),
              HasSubstr("one of both"));
  EXPECT_THAT(error("[[model]]\nname = \"m\"\ninput_price = 1\n"),
              HasSubstr("model[0].output_price"));
  EXPECT_THAT(error("[[model]]\nname = \"m\"\n[[model]]\nname = \"m\"\n"),
              HasSubstr("twice"));
  EXPECT_THAT(error("[[model]]\nname = \"m\"\n[[service]]\nname = \"s\"\n"
                    "api_key = \"sk-x\"\n"),
              HasSubstr("api_key"));
}

TEST(LlmConfig, FollowsTheEnvironment) {
  {
    const Environment both({{"OPENAI_API_KEY", kKey},
                            {"GEMINI_API_KEY", kKey},
                            {"OPENAI_BASE_URL", "http://127.0.0.1:9/v1"}});
    const auto config = llm_config_from_environment().value();
    EXPECT_EQ(config.services[0].name, "openai");
    EXPECT_EQ(config.services[0].base_url, "http://127.0.0.1:9/v1");
    EXPECT_THAT(to_toml(config), Not(HasSubstr(kKey)));
  }
  {
    const Environment gemini({{"GEMINI_API_KEY", kKey}});
    const auto config = llm_config_from_environment().value();
    EXPECT_EQ(config.services[0].name, "gemini");
    EXPECT_THAT(config.models[0].name, HasSubstr("gemini"));
  }
  const Environment none({});
  const auto config = llm_config_from_environment();
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().kind, ErrorKind::absent);
  EXPECT_THAT(config.error().message, HasSubstr("OPENAI_API_KEY"));
}

TEST(LlmConfig, TakesModelsFromTheCommandLine) {
  auto config = llm_config_from_toml(kConfig, "llm.toml").value();
  ASSERT_TRUE(choose_models(config, {"gemini-2.5-flash=0.25", "new"}));
  ASSERT_EQ(config.models.size(), 2U);
  EXPECT_EQ(config.models[0].service, "gemini");
  EXPECT_EQ(config.models[0].weight, 0.25);
  EXPECT_EQ(config.models[0].parameters.seed, 5);
  EXPECT_EQ(config.models[1].name, "new");
  EXPECT_FALSE(choose_models(config, {"m=much"}));
  EXPECT_FALSE(choose_models(config, {"m=-1"}));
  EXPECT_FALSE(choose_models(config, {"=1"}));
  EXPECT_FALSE(choose_models(config, {"m", "m=2"}));
}

TEST(LlmConfig, TakesPricesFromTheCommandLine) {
  auto config = llm_config_from_toml(kConfig, "llm.toml").value();
  EXPECT_EQ(config.models[0].price, std::nullopt);
  EXPECT_EQ(config.models[1].price, (Price{0.5, 3, 0.5}));
  ASSERT_TRUE(set_price(config, "gpt-5-mini=0.25,2"));
  EXPECT_EQ(config.models[0].price, (Price{0.25, 2, 0.25}));
  ASSERT_TRUE(set_price(config, "gemini-2.5-flash=1,2,0.1"));
  EXPECT_EQ(config.models[1].price, (Price{1, 2, 0.1}));
  for (const char* wrong :
       {"gpt-5-mini", "gpt-5-mini=", "gpt-5-mini=1", "gpt-5-mini=1,",
        "gpt-5-mini=1,2,3,4", "gpt-5-mini=-1,2", "gpt-5-mini=1;2",
        "gpt-5-mini=nan,2", "gpt-5-mini=1,1e9"}) {
    const auto set = set_price(config, wrong);
    ASSERT_FALSE(set) << wrong;
    EXPECT_THAT(set.error().message, HasSubstr("gpt-x=0.25,2")) << wrong;
  }
  const auto unknown = set_price(config, "gpt-5-mimi=1,2");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean 'gpt-5-mini'"));
}

TEST(OpenEnsemble, NeedsItsKeys) {
  const Environment none({});
  const auto config = llm_config_from_toml(kConfig, "llm.toml").value();
  const auto refused = open_ensemble(config, 0, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("OPENAI_API_KEY"));

  const Environment both({{"OPENAI_API_KEY", kKey}, {"GEMINI_API_KEY", kKey}});
  const auto ensemble = open_ensemble(config, 1.5, nullptr);
  ASSERT_TRUE(ensemble) << ensemble.error().message;
  EXPECT_EQ(ensemble->models.size(), 2U);
  EXPECT_EQ(ensemble->spending->spent_usd(), 1.5);
  EXPECT_THAT(ensemble->unpriced, testing::IsEmpty());
}

TEST(OpenEnsemble, ReadsAKeyFile) {
  const Environment none({});
  const evoke::test::TemporaryFolder folder;
  std::ofstream(folder.file("key")) << kKey << "\n";
  const std::string text =
      "[[service]]\nname = \"s\"\nbase_url = "
      "\"https://example.com/v1\"\nkey_file = \"" +
      folder.file("key") + "\"\n[[model]]\nname = \"m\"\n";
  const auto config = llm_config_from_toml(text, "llm.toml").value();
  ::chmod(folder.file("key").c_str(), 0644);
  const auto refused = open_ensemble(config, 0, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("chmod 600"));
  ::chmod(folder.file("key").c_str(), 0600);
  const auto ensemble = open_ensemble(config, 0, nullptr);
  ASSERT_TRUE(ensemble) << ensemble.error().message;
  EXPECT_THAT(ensemble->unpriced, testing::ElementsAre("m"));
}

TEST(OpenEnsemble, KeepsNoBudgetWithUnknownPrices) {
  const Environment openai({{"OPENAI_API_KEY", kKey}});
  auto config = llm_config_from_environment().value();
  ASSERT_TRUE(choose_models(config, {"unheard-of"}));
  config.budget_usd = 1;
  const auto refused = open_ensemble(config, 0, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("'unheard-of' is not known"));
  EXPECT_THAT(refused.error().message,
              HasSubstr("--llm-price unheard-of=INPUT,OUTPUT"));
  ASSERT_TRUE(set_price(config, "unheard-of=1,2"));
  EXPECT_TRUE(open_ensemble(config, 0, nullptr));
}

}  // namespace
}  // namespace evoke::llm
