// A client of the tests' local services.
#pragma once

#include <cstdlib>
#include <string>

#include "evoke/proposers/llm/service_client.h"

namespace evoke::llm::test {

inline constexpr char kKey[] = "sk-very-secret-0123456789";

inline ApiKey test_key() {
  ::setenv("EVOKE_TEST_KEY", kKey, 1);
  auto key = ApiKey::from_environment("EVOKE_TEST_KEY").value();
  ::unsetenv("EVOKE_TEST_KEY");
  return key;
}

// Waits that a test can afford.
inline ServiceOptions options_for(const std::string& url) {
  ServiceOptions options;
  options.base_url = url;
  options.key = test_key();
  options.timeout_s = 20;
  options.tries = 3;
  options.first_backoff_s = 0.01;
  options.longest_backoff_s = 0.02;
  options.breaker.failures = 100;
  options.breaker.first_pause_s = 0.02;
  options.breaker.longest_pause_s = 0.05;
  options.prices =
      PriceTable::parse("[\"priced\"]\ninput = 1000\noutput = 10000\n",
                        "p.toml", PriceTable())
          .value();
  return options;
}

inline ChatRequest ask(const std::string& model = "priced") {
  return {model, {{"user", "hello"}}, {}, 1};
}

}  // namespace evoke::llm::test
