#include "evoke/proposers/llm/llm_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <set>

#include "evoke/base/fd.h"
#include "evoke/base/spelling.h"
#include "evoke/base/utf8.h"
#include "evoke/core/toml_reader.h"

namespace evoke::llm {
namespace {

constexpr char kOpenAiModel[] = "gpt-5-mini";
constexpr char kGeminiModel[] = "gemini-2.5-flash";
constexpr char kGeminiUrl[] =
    "https://generativelanguage.googleapis.com/v1beta/openai";
constexpr std::string_view kGoogleHost = "generativelanguage.googleapis.com";
constexpr double kDay = 86'400;
constexpr double kMostPrice = 1e5;  // US dollars per million tokens

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

ServiceConfig gemini() {
  ServiceConfig service;
  service.name = "gemini";
  service.base_url = kGeminiUrl;
  service.key_variable = "GEMINI_API_KEY";
  service.send_seed = false;
  return service;
}

ServiceConfig read_service(TomlTable& table) {
  ServiceConfig service;
  table.require("name");
  table.read("name", service.name);
  if (service.name == "gemini") service = gemini();
  table.read("base_url", service.base_url);
  if (service.base_url.find(kGoogleHost) != std::string::npos) {
    service.send_seed = false;
  }
  // A key is named by the user for a service that we do not know.
  if (service.base_url != ServiceConfig().base_url &&
      service.base_url != kGeminiUrl) {
    service.key_variable.clear();
    service.key_required = false;
  }
  const bool named = table.read("key_variable", service.key_variable);
  if (table.read("key_file", service.key_file) || named) {
    service.key_required = true;
  }
  table.read("key_required", service.key_required);
  table.read("ca_file", service.ca_file);
  table.read("plain_http", service.plain_http);
  table.read("send_seed", service.send_seed);
  table.read("connect_timeout_s", service.connect_timeout_s, 0.001, kDay);
  table.read("timeout_s", service.timeout_s, 0.001, kDay);
  table.read("tries", service.tries, 1, 100);
  table.read("give_up_s", service.give_up_s, 0, 30 * kDay);
  table.refuse_unknown_keys();
  return service;
}

template <typename T, typename... Bounds>
void read_optional(TomlTable& table, std::string_view key,
                   std::optional<T>& value, Bounds... bounds) {
  T read{};
  if (table.read(key, read, bounds...)) value = std::move(read);
}

std::optional<Price> read_price(TomlTable& table) {
  Price price;
  const bool input = table.read("input_price", price.input, 0, kMostPrice);
  const bool output = table.read("output_price", price.output, 0, kMostPrice);
  price.cached_input = price.input;
  const bool cached =
      table.read("cached_input_price", price.cached_input, 0, kMostPrice);
  if (!input && !output && !cached) return std::nullopt;
  if (!input) table.require("input_price");
  if (!output) table.require("output_price");
  return price;
}

ModelConfig read_model(TomlTable& table) {
  ModelConfig model;
  table.require("name");
  table.read("name", model.name);
  table.read("service", model.service);
  table.read("weight", model.weight, 0, 1e9);
  ChatParameters& sent = model.parameters;
  constexpr int64_t kMostTokens = 1 << 24;
  read_optional(table, "temperature", sent.temperature, 0.0, 10.0);
  read_optional(table, "top_p", sent.top_p, 0.0, 1.0);
  read_optional(table, "max_tokens", sent.max_tokens, int64_t{1}, kMostTokens);
  read_optional(table, "max_completion_tokens", sent.max_completion_tokens,
                int64_t{1}, kMostTokens);
  read_optional(table, "reasoning_effort", sent.reasoning_effort);
  read_optional(table, "seed", sent.seed);
  model.price = read_price(table);
  if (sent.max_tokens && sent.max_completion_tokens) {
    table.fail("max_completion_tokens",
               "is another name of max_tokens; give one of both");
  }
  table.refuse_unknown_keys();
  return model;
}

Result<ApiKey> key_of(const ServiceConfig& service) {
  if (!service.key_variable.empty()) {
    auto key = ApiKey::from_environment(service.key_variable);
    if (key || key.error().kind == ErrorKind::failed) return key;
    if (service.key_file.empty() && service.key_required) return key;
  }
  if (!service.key_file.empty()) return ApiKey::from_file(service.key_file);
  return ApiKey();
}

std::string parameters_text(const ChatParameters& sent) {
  std::string text;
  const auto put = [&text](const char* name, const auto& value) {
    if (value) text += fmt::format("{} = {}\n", name, *value);
  };
  if (sent.temperature) {
    text += fmt::format("temperature = {}\n", toml_number(*sent.temperature));
  }
  if (sent.top_p) text += fmt::format("top_p = {}\n", toml_number(*sent.top_p));
  put("max_tokens", sent.max_tokens);
  put("max_completion_tokens", sent.max_completion_tokens);
  if (sent.reasoning_effort) {
    text += fmt::format("reasoning_effort = {}\n",
                        toml_quoted(*sent.reasoning_effort));
  }
  put("seed", sent.seed);
  return text;
}

}  // namespace

Result<LlmConfig> llm_config_from_environment() {
  LlmConfig config;
  if (!environment("OPENAI_API_KEY").empty()) {
    ServiceConfig service;
    for (const char* name : {"OPENAI_BASE_URL", "OPENAI_API_BASE"}) {
      const std::string url = environment(name);
      if (url.empty()) continue;
      service.base_url = url;
      break;
    }
    config.services = {service};
    config.models = {{kOpenAiModel, "", 1.0, {}, {}}};
  } else if (!environment("GEMINI_API_KEY").empty()) {
    config.services = {gemini()};
    config.models = {{kGeminiModel, "", 1.0, {}, {}}};
  } else {
    return absent(
        "no key for a language model: set OPENAI_API_KEY or GEMINI_API_KEY, "
        "or name a file that says which service to ask (docs/llm.md)");
  }
  return config;
}

Result<LlmConfig> llm_config_from_toml(std::string_view text,
                                       std::string_view path) {
  TomlErrors errors(path);
  const auto document = parse_toml(text, errors);
  if (!document) return errors.take();
  LlmConfig config;
  TomlTable root(*document, "", errors);
  root.read("prompts_folder", config.prompts_folder);
  root.read("prices_file", config.prices_file);
  root.read("prompt_tokens", config.prompt_tokens, 1000, int64_t{1} << 24);
  root.read("corrections", config.corrections, 0, 5);
  root.read("max_concurrency", config.max_concurrency, 1, 256);
  read_optional(root, "budget_usd", config.budget_usd, 0.0, 1e9);

  std::vector<std::string> names;
  for (const toml::table* const each : root.find_tables("service")) {
    TomlTable table(*each, fmt::format("service[{}].", names.size()), errors);
    config.services.push_back(read_service(table));
    const std::string& name = config.services.back().name;
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      table.fail("name", fmt::format("there is another service '{}'", name));
    }
    names.push_back(name);
  }
  if (config.services.empty()) {
    config.services.emplace_back();
    names.push_back(config.services.back().name);
  }
  std::set<std::string> models;
  for (const toml::table* const each : root.find_tables("model")) {
    TomlTable table(*each, fmt::format("model[{}].", models.size()), errors);
    ModelConfig model = read_model(table);
    if (!model.service.empty() &&
        std::find(names.begin(), names.end(), model.service) == names.end()) {
      table.fail("service",
                 fmt::format("there is no service '{}'{}", model.service,
                             did_you_mean(model.service, names)));
    }
    if (!models.insert(model.name).second) {
      table.fail("name",
                 fmt::format("model '{}' stands there twice", model.name));
    }
    config.models.push_back(std::move(model));
  }
  root.refuse_unknown_keys();
  if (!errors.any() && config.models.empty()) {
    errors.add(1, "model", "missing; name at least one [[model]]");
  }
  if (errors.any()) return errors.take();
  return config;
}

Result<LlmConfig> read_llm_config(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return error_of(text);
  return llm_config_from_toml(*text, path);
}

std::string to_toml(const LlmConfig& config) {
  std::string text = fmt::format(
      "prompts_folder = {}\nprices_file = {}\nprompt_tokens = {}\n"
      "corrections = {}\nmax_concurrency = {}\n",
      toml_quoted(config.prompts_folder), toml_quoted(config.prices_file),
      config.prompt_tokens, config.corrections, config.max_concurrency);
  if (config.budget_usd) {
    text += fmt::format("budget_usd = {}\n", toml_number(*config.budget_usd));
  }
  for (const ServiceConfig& service : config.services) {
    text += fmt::format(
        "\n[[service]]\nname = {}\nbase_url = {}\nkey_variable = {}\n"
        "key_file = {}\nkey_required = {}\nca_file = {}\nplain_http = {}\n"
        "send_seed = {}\nconnect_timeout_s = {}\ntimeout_s = {}\n"
        "tries = {}\ngive_up_s = {}\n",
        toml_quoted(service.name), toml_quoted(service.base_url),
        toml_quoted(service.key_variable), toml_quoted(service.key_file),
        service.key_required, toml_quoted(service.ca_file), service.plain_http,
        service.send_seed, toml_number(service.connect_timeout_s),
        toml_number(service.timeout_s), service.tries,
        toml_number(service.give_up_s));
  }
  for (const ModelConfig& model : config.models) {
    text += fmt::format("\n[[model]]\nname = {}\nservice = {}\nweight = {}\n{}",
                        toml_quoted(model.name), toml_quoted(model.service),
                        toml_number(model.weight),
                        parameters_text(model.parameters));
    if (!model.price) continue;
    text += fmt::format(
        "input_price = {}\noutput_price = {}\ncached_input_price = {}\n",
        toml_number(model.price->input), toml_number(model.price->output),
        toml_number(model.price->cached_input));
  }
  return text;
}

Result<void> choose_models(LlmConfig& config,
                           const std::vector<std::string>& models) {
  std::vector<ModelConfig> chosen;
  for (const std::string& word : models) {
    const std::size_t equals = word.rfind('=');
    const std::string name = word.substr(0, equals);
    ModelConfig model{name, "", 1.0, {}, {}};
    for (const ModelConfig& known : config.models) {
      if (known.name == name) model = known;
    }
    if (equals != word.npos) {
      const char* const end = word.data() + word.size();
      const auto [last, error] =
          std::from_chars(word.data() + equals + 1, end, model.weight);
      if (error != std::errc() || last != end || !(model.weight >= 0) ||
          !(model.weight <= 1e9)) {
        return failed(fmt::format(
            "model '{}': what follows '=' is its weight, a number from 0, as "
            "in gpt-x=0.3",
            word));
      }
    }
    if (name.empty()) return failed("a model needs a name, as in gpt-x=0.3");
    for (const ModelConfig& other : chosen) {
      if (other.name == name) {
        return failed(fmt::format("model '{}' is named twice", name));
      }
    }
    chosen.push_back(std::move(model));
  }
  if (!chosen.empty()) config.models = std::move(chosen);
  return {};
}

Result<void> set_price(LlmConfig& config, std::string_view word) {
  const std::size_t equals = word.rfind('=');
  const std::string_view name = word.substr(0, equals);
  std::vector<double> numbers;
  bool good = equals != word.npos;
  for (const char* at = word.data() + equals + 1; good;) {
    const char* const end = word.data() + word.size();
    double number = 0;
    const auto [last, error] = std::from_chars(at, end, number);
    good = error == std::errc() && number >= 0 && number <= kMostPrice;
    numbers.push_back(number);
    if (!good || last == end) break;
    good = *last == ',';
    at = last + 1;
  }
  if (!good || numbers.size() < 2 || numbers.size() > 3) {
    return failed(fmt::format(
        "price '{}': give dollars per million tokens of the prompt and of the "
        "answer, as in gpt-x=0.25,2 (and of remembered ones: gpt-x=0.25,2,0.1)",
        one_line(word, 100)));
  }
  std::vector<std::string> names;
  for (ModelConfig& model : config.models) {
    names.push_back(model.name);
    if (model.name != name) continue;
    model.price = Price{numbers[0], numbers[1], numbers.back()};
    if (numbers.size() == 2) model.price->cached_input = numbers[0];
    return {};
  }
  return failed(fmt::format("price '{}': no model '{}' is asked{}",
                            one_line(word, 100), one_line(name, 60),
                            did_you_mean(std::string(name), names)));
}

Result<Ensemble> open_ensemble(
    const LlmConfig& config, double spent_usd,
    const std::function<void(const std::string&)>& notice) {
  PriceTable prices = PriceTable::built_in();
  if (!config.prices_file.empty()) {
    auto read = PriceTable::read(config.prices_file, prices);
    if (!read) return error_of(read);
    prices = *std::move(read);
  }
  for (const ModelConfig& model : config.models) {
    if (model.price) prices.set(model.name, *model.price);
  }
  Ensemble ensemble;
  ensemble.spending = std::make_shared<Spending>(config.budget_usd, spent_usd);
  std::map<std::string, std::shared_ptr<ChatClient>> clients;
  for (const ServiceConfig& service : config.services) {
    auto key = key_of(service);
    if (!key) return error_of(key);
    ServiceOptions options;
    options.base_url = service.base_url;
    options.key = *std::move(key);
    options.ca_file = service.ca_file;
    options.plain_http = service.plain_http;
    options.send_seed = service.send_seed;
    options.connect_timeout_s = service.connect_timeout_s;
    options.timeout_s = service.timeout_s;
    options.tries = service.tries;
    options.breaker.give_up_s = service.give_up_s;
    options.prices = prices;
    options.spending = ensemble.spending;
    options.notice = notice;
    clients[service.name] = std::make_shared<ServiceClient>(std::move(options));
  }
  for (const ModelConfig& model : config.models) {
    const auto client = clients.find(
        model.service.empty() ? config.services.front().name : model.service);
    if (client == clients.end()) {
      return failed(fmt::format("model '{}': there is no service '{}'",
                                model.name, model.service));
    }
    ensemble.models.push_back(
        {model.name, model.weight, model.parameters, client->second});
    if (!prices.find(model.name)) ensemble.unpriced.push_back(model.name);
  }
  if (config.budget_usd && !ensemble.unpriced.empty()) {
    return failed(fmt::format(
        "the price of model '{0}' is not known, so a budget in dollars cannot "
        "be kept; give it with --llm-price {0}=INPUT,OUTPUT (dollars per "
        "million tokens), or leave the budget out",
        ensemble.unpriced.front()));
  }
  for (const std::string& model : ensemble.unpriced) {
    if (!notice) break;
    notice(fmt::format(
        "the price of model '{}' is not known: its cost is not counted",
        model));
  }
  return ensemble;
}

}  // namespace evoke::llm
