// Chat completions of one OpenAI-compatible service over HTTP: repetitions
// with back-off, Retry-After, a circuit breaker, prices and the budget.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "evoke/proposers/llm/api_key.h"
#include "evoke/proposers/llm/chat_client.h"
#include "evoke/proposers/llm/chat_wire.h"
#include "evoke/proposers/llm/circuit_breaker.h"
#include "evoke/proposers/llm/http_client.h"
#include "evoke/proposers/llm/price_table.h"
#include "evoke/proposers/llm/spending.h"

namespace evoke::llm {

struct ServiceOptions {
  std::string base_url;  // "https://api.openai.com/v1"
  ApiKey key;
  std::string ca_file;  // certificates to trust; empty: the system's
  // Keys go over plain http to this machine only, unless this is set.
  bool plain_http = false;
  bool send_seed = true;  // Google's service refuses it

  double connect_timeout_s = 10;
  double timeout_s = 300;  // of one answer; reasoning models take minutes
  // Requests for one answer that come to nothing, before it is given up.
  // Waiting for a service that is down or asks for patience is not counted.
  int tries = 4;
  double first_backoff_s = 1;
  double longest_backoff_s = 30;
  // A service that asks for more patience than this gets none.
  double longest_retry_after_s = 600;
  BreakerOptions breaker;

  PriceTable prices = PriceTable::built_in();
  std::shared_ptr<Spending> spending;  // null: not counted
  // Taken for the length of an answer when no limit is sent, to see whether
  // the budget allows it.
  int64_t likely_answer_tokens = 16'384;
  // Told of what the user should know, in one line; null: nobody.
  std::function<void(const std::string&)> notice;
};

class ServiceClient : public ChatClient {
 public:
  // Throws UsageError: a URL that is none, holds a password, or would send the
  // key in clear.
  explicit ServiceClient(ServiceOptions options);

  ChatResult<ChatReply> chat(const ChatRequest& request,
                             const Stop& stop) override;
  void hide_secrets(std::string& text) const override;

  // Where requests go, without its query.
  const std::string& url() const { return shown_url_; }
  std::optional<Price> price_of(const std::string& model) const {
    return options_.prices.find(model);
  }

 private:
  struct Call;
  ChatResult<ChatReply> attempt(Call& call, const Stop& stop);
  ChatResult<ChatReply> judge(Call& call, HttpReply reply);
  ChatError error_of(const HttpError& error) const;
  ChatError complaint(const HttpReply& reply) const;
  ChatParameters known_parameters(const ChatRequest& request) const;
  void say(const std::string& text) const;
  double most_usd(const ChatRequest& request, const Price& price) const;
  void charge_all(Call& call, const std::optional<Spending::Hold>& hold);
  double price(const Call& call, ChatReply& reply) const;

  ServiceOptions options_;
  std::string url_;
  std::string shown_url_;
  HttpClient http_;
  CircuitBreaker breaker_;
  // What models turned out not to take.
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<ServiceComplaint>> refused_;
};

}  // namespace evoke::llm
