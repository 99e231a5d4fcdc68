// Which models are asked, where, and how: the `llm` file of a run, and what is
// assumed without one. docs/llm.md describes the file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/proposers/llm/llm_proposer.h"
#include "evoke/proposers/llm/price_table.h"
#include "evoke/proposers/llm/service_client.h"

namespace evoke::llm {

// A service, as configured: no key is in it, only where to find one.
struct ServiceConfig {
  std::string name = "openai";  // that models refer to
  std::string base_url = "https://api.openai.com/v1";
  std::string key_variable = "OPENAI_API_KEY";  // empty: none is read
  std::string key_file;  // read when the variable is not set
  bool key_required = true;
  std::string ca_file;
  bool plain_http = false;
  bool send_seed = true;
  double connect_timeout_s = 10;
  double timeout_s = 300;
  int tries = 4;
  double give_up_s = 1800;  // of a service that does not answer
  bool operator==(const ServiceConfig&) const = default;
};

struct ModelConfig {
  std::string name;
  std::string service;  // empty: the first one
  double weight = 1.0;
  ChatParameters parameters;
  std::optional<Price> price;  // empty: that of the price tables
  bool operator==(const ModelConfig&) const = default;
};

struct LlmConfig {
  std::vector<ServiceConfig> services;
  std::vector<ModelConfig> models;
  std::string prompts_folder;  // empty: the built-in prompts
  std::string prices_file;     // empty: the built-in prices
  int64_t prompt_tokens = 32'000;
  int corrections = 1;
  int max_concurrency = 4;
  std::optional<double> budget_usd;
  bool operator==(const LlmConfig&) const = default;
};

// One service and one model by what the environment holds: OPENAI_API_KEY (and
// OPENAI_BASE_URL), else GEMINI_API_KEY. `absent`: neither is set.
Result<LlmConfig> llm_config_from_environment();
// Errors name file, line and key.
Result<LlmConfig> llm_config_from_toml(std::string_view text,
                                       std::string_view path);
Result<LlmConfig> read_llm_config(const std::string& path);
// The whole of it; reads back as the same config.
std::string to_toml(const LlmConfig& config);

// "gpt-x" or "gpt-x=0.3", as --model takes them: they replace the models of
// `config`, with the parameters of those that it has already.
Result<void> choose_models(LlmConfig& config,
                           const std::vector<std::string>& models);

// "gpt-x=0.25,2" or "gpt-x=0.25,2,0.025": dollars per million tokens of the
// prompt, of the answer, and of what the service remembered of the prompt, for
// a model of `config`.
Result<void> set_price(LlmConfig& config, std::string_view word);

// The clients of a config, with their keys.
struct Ensemble {
  std::vector<LlmModel> models;
  std::shared_ptr<Spending> spending;
  // Models whose price is not known: their cost is not, either.
  std::vector<std::string> unpriced;
};
// `spent_usd`: see Spending. Fails when a key is missing or a file cannot be
// read, and when there is a budget that an unknown price would make
// meaningless. Throws what ServiceClient does.
Result<Ensemble> open_ensemble(
    const LlmConfig& config, double spent_usd,
    const std::function<void(const std::string&)>& notice);

}  // namespace evoke::llm
