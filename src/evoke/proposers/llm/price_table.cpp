#include "evoke/proposers/llm/price_table.h"

#include <cctype>
#include <stdexcept>

#include "evoke/base/fd.h"
#include "evoke/core/toml_reader.h"
#include "evoke/proposers/llm/embedded_texts.h"

namespace evoke::llm {
namespace {

constexpr double kMostPerMillion = 1e5;

// "-2026-01-31", "-001", "-latest", "-preview-05": the same model at the same
// price.
bool is_version(std::string_view rest) {
  return rest.starts_with("-latest") || rest.starts_with("-preview") ||
         rest.starts_with("-exp") || rest.starts_with("@") ||
         (rest.size() > 1 && rest[0] == '-' &&
          std::isdigit(static_cast<unsigned char>(rest[1])) != 0);
}

}  // namespace

const PriceTable& PriceTable::built_in() {
  static const PriceTable table = [] {
    const auto parsed =
        parse(embedded_text("prices.toml"), "prices.toml", PriceTable());
    if (!parsed) throw std::logic_error(parsed.error().message);
    return *parsed;
  }();
  return table;
}

Result<PriceTable> PriceTable::parse(std::string_view text,
                                     std::string_view path,
                                     const PriceTable& base) {
  TomlErrors errors(path);
  const auto document = parse_toml(text, errors);
  if (!document) return errors.take();
  PriceTable table = base;
  TomlTable root(*document, "", errors);
  for (const auto& [model, node] : root.in_order()) {
    const toml::table* const entry = root.find_table(model);
    if (entry == nullptr) break;  // the error is noted
    TomlTable reader(*entry, "\"" + model + "\".", errors);
    Price price;
    bool whole = true;
    for (const auto& [key, value] : {std::pair("input", &price.input),
                                     std::pair("output", &price.output)}) {
      whole = reader.require(key) != nullptr &&
              reader.read(key, *value, 0, kMostPerMillion) && whole;
    }
    price.cached_input = price.input;
    reader.read("cached_input", price.cached_input, 0, kMostPerMillion);
    reader.refuse_unknown_keys();
    if (whole) table.prices_[model] = price;
  }
  if (errors.any()) return errors.take();
  return table;
}

Result<PriceTable> PriceTable::read(const std::string& path,
                                    const PriceTable& base) {
  const auto text = read_file(path);
  if (!text) return error_of(text);
  return parse(*text, path, base);
}

std::optional<Price> PriceTable::find(std::string_view model) const {
  const auto exact = prices_.find(model);
  if (exact != prices_.end()) return exact->second;
  const Price* best = nullptr;
  std::size_t longest = 0;
  for (const auto& [name, price] : prices_) {
    if (model.starts_with(name) && is_version(model.substr(name.size())) &&
        name.size() > longest) {
      best = &price;
      longest = name.size();
    }
  }
  if (best != nullptr) return *best;
  const std::size_t slash = model.find('/');
  return slash == model.npos ? std::nullopt : find(model.substr(slash + 1));
}

double cost_usd(const Price& price, const LlmUsage& usage) {
  constexpr double kPerToken = 1e-6;
  const auto cached = static_cast<double>(usage.cached_tokens);
  const auto fresh = static_cast<double>(usage.prompt_tokens) - cached;
  return kPerToken *
         (fresh * price.input + cached * price.cached_input +
          static_cast<double>(usage.completion_tokens) * price.output);
}

}  // namespace evoke::llm
