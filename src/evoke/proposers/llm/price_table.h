// What models cost, in US dollars per million tokens: a built-in table
// (prices.toml), under one of the user's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "evoke/base/error.h"
#include "evoke/evolution/interfaces/llm_call.h"

namespace evoke::llm {

struct Price {
  double input = 0;  // per million tokens of the prompt
  double output = 0;
  double cached_input = 0;  // for prompt tokens that the service remembered
  bool operator==(const Price&) const = default;
};

class PriceTable {
 public:
  // The built-in one.
  static const PriceTable& built_in();
  // `text` over `base`; errors name file, line and key.
  static Result<PriceTable> parse(std::string_view text, std::string_view path,
                                  const PriceTable& base);
  static Result<PriceTable> read(const std::string& path,
                                 const PriceTable& base);

  // Instead of what stood there.
  void set(const std::string& model, const Price& price) {
    prices_[model] = price;
  }
  // The entry `model`, or the longest one of which `model` is a dated or
  // numbered version ("gpt-x-2026-01-31" of "gpt-x") or which it names behind
  // a provider's prefix ("openai/gpt-x"). nullopt: not known.
  std::optional<Price> find(std::string_view model) const;

 private:
  std::map<std::string, Price, std::less<>> prices_;
};

double cost_usd(const Price& price, const LlmUsage& usage);

}  // namespace evoke::llm
