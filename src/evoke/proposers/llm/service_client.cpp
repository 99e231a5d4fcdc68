#include "evoke/proposers/llm/service_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string_view>
#include <thread>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/rng.h"
#include "evoke/base/utf8.h"
#include "evoke/proposers/llm/chat_wire.h"
#include "evoke/proposers/llm/retry_after.h"
#include "evoke/proposers/llm/token_estimate.h"

namespace evoke::llm {
namespace {

constexpr int kRequestTimeout = 408;
constexpr int kConflict = 409;
constexpr int kTooEarly = 425;
constexpr int kTooManyRequests = 429;

std::string_view host_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == url.npos) return "";
  url.remove_prefix(scheme + 3);
  url = url.substr(0, std::min(url.find_first_of("/?#"), url.size()));
  if (url.starts_with('[')) return url.substr(0, url.find(']') + 1);
  return url.substr(0, std::min(url.find(':'), url.size()));
}

bool is_this_machine(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

void check_url(const ServiceOptions& options) {
  const std::string_view url = options.base_url;
  const auto refuse = [](std::string_view what) {
    throw UsageError(fmt::format("the base URL of the service {}", what));
  };
  const bool plain = url.starts_with("http://");
  const std::string_view host = host_of(url);
  if ((!plain && !url.starts_with("https://")) || host.empty()) {
    refuse(
        fmt::format("is '{}'; it must begin with https:// or http:// and "
                    "name a host, as in https://api.openai.com/v1",
                    one_line(url, 100)));
  }
  const std::size_t path = std::min(url.find('/', 8), url.size());
  if (url.substr(0, path).find('@') != url.npos) {
    refuse(
        "holds a user name or password; give the key in the environment or "
        "in a key file");
  }
  if (plain && !options.key.empty() && !is_this_machine(host) &&
      !options.plain_http) {
    refuse(fmt::format(
        "would send the key to {} unencrypted; use https, or set plain_http = "
        "true if nobody can listen in between",
        host));
  }
}

// False: told to stop before the time was over.
bool wait_for(double seconds, const Stop& stop) {
  using namespace std::chrono;
  const auto end = steady_clock::now() + duration<double>(seconds);
  while (true) {
    if (stop && stop()) return false;
    const auto left = end - steady_clock::now();
    if (left <= left.zero()) return true;
    std::this_thread::sleep_for(
        std::min<duration<double>>(left, milliseconds(50)));
  }
}

}  // namespace

// One chat(): what its attempts share.
struct ServiceClient::Call {
  const ChatRequest& request;
  ChatParameters parameters;
  std::optional<Price> price;
  Rng rng;
  int requests = 0;
  int lost = 0;     // requests that came to nothing
  int limited = 0;  // that the service did not want yet
  double spent_usd = 0;
  bool cost_unknown = false;  // of some request
  std::optional<double> retry_after_s;

  ChatRequest sent() const {
    return {request.model, request.messages, parameters, 0};
  }
};

ServiceClient::ServiceClient(ServiceOptions options)
    : options_(std::move(options)),
      url_(completions_url(options_.base_url)),
      shown_url_(url_.substr(0, url_.find('?'))),
      breaker_(std::string(host_of(options_.base_url)), [this] {
        BreakerOptions breaker = options_.breaker;
        if (!breaker.notice) {
          breaker.notice = [this](const std::string& text) { say(text); };
        }
        return breaker;
      }()) {
  check_url(options_);
}

void ServiceClient::say(const std::string& text) const {
  if (options_.notice) options_.notice(text);
}

void ServiceClient::hide_secrets(std::string& text) const {
  options_.key.hide_in(text);
}

ChatParameters ServiceClient::known_parameters(
    const ChatRequest& request) const {
  ChatParameters parameters = request.parameters;
  if (!options_.send_seed) parameters.seed.reset();
  const std::lock_guard lock(mutex_);
  const auto found = refused_.find(request.model);
  if (found == refused_.end()) return parameters;
  for (const ServiceComplaint& each : found->second) {
    give_way(each, parameters);
  }
  return parameters;
}

double ServiceClient::most_usd(const ChatRequest& request,
                               const Price& price) const {
  LlmUsage most;
  most.prompt_tokens = estimate_tokens(request.messages);
  most.completion_tokens =
      request.parameters.token_limit().value_or(options_.likely_answer_tokens);
  return cost_usd(price, most);
}

// What the answer cost, and notes it in `reply` if that is known.
double ServiceClient::price(const Call& call, ChatReply& reply) const {
  if (!reply.cost_usd && call.price) {
    LlmUsage usage = reply.usage;
    if (usage.prompt_tokens == 0) {  // not said: as estimated
      usage.prompt_tokens = estimate_tokens(call.request.messages);
    }
    if (usage.completion_tokens == 0) {
      usage.completion_tokens = estimate_tokens(reply.text);
    }
    reply.cost_usd = cost_usd(*call.price, usage);
  }
  return reply.cost_usd.value_or(0);
}

ChatError ServiceClient::error_of(const HttpError& error) const {
  using Kind = HttpError::Kind;
  ChatError mapped;
  mapped.transient = true;
  std::string_view what;
  switch (error.kind) {
    case Kind::unreachable:
      mapped.kind = ChatErrorKind::service_down;
      what = "no connection";
      break;
    case Kind::cut_off:
      mapped.kind = ChatErrorKind::service_down;
      what = "the connection ended before the answer did";
      break;
    case Kind::untrusted:
      mapped.kind = ChatErrorKind::service_down;
      mapped.transient = false;
      what = "its certificate is not trusted (ca_file names others)";
      break;
    case Kind::timed_out:
      mapped.kind = ChatErrorKind::timed_out;
      what = "no whole answer within the time limit";
      break;
    case Kind::too_large:
      mapped.kind = ChatErrorKind::bad_answer;
      what = "too long";
      break;
    case Kind::cancelled:
      mapped.kind = ChatErrorKind::cancelled;
      mapped.transient = false;
      what = "cancelled";
      break;
    case Kind::misuse:
      mapped.kind = ChatErrorKind::refused;
      mapped.transient = false;
      what = "cannot be asked";
      break;
  }
  mapped.message = fmt::format("{}: {}: {}", shown_url_, what, error.message);
  return mapped;
}

ChatError ServiceClient::complaint(const HttpReply& reply) const {
  const ServiceComplaint said = read_complaint(reply.body);
  ChatError error;
  error.http_status = reply.status;
  error.message =
      fmt::format("{}: HTTP {}: {}", shown_url_, reply.status, said.message);
  const bool broke = said.code == "insufficient_quota" ||
                     said.code == "billing_hard_limit_reached";
  if (reply.status >= 500 || reply.status == kRequestTimeout ||
      reply.status == kConflict || reply.status == kTooEarly) {
    error.kind = ChatErrorKind::service_down;
    error.transient = true;
  } else if (reply.status == kTooManyRequests && !broke) {
    error.kind = ChatErrorKind::rate_limited;
    error.transient = true;
  } else {
    // 3xx among them: following it would carry the key elsewhere.
    error.kind = ChatErrorKind::refused;
    if (reply.status == 401 || reply.status == 403) {
      error.message += options_.key.empty()
                           ? "; no key was given"
                           : "; the key comes from " + options_.key.origin();
    }
  }
  return error;
}

ChatResult<ChatReply> ServiceClient::judge(Call& call, HttpReply reply) {
  hide_secrets(reply.body);
  if (reply.status == 200) {
    auto read = read_reply(reply.body);
    if (!read) read.error().message.insert(0, shown_url_ + ": ");
    return read;
  }
  ChatError error = complaint(reply);
  call.retry_after_s = retry_after_s(reply.retry_after, reply.date,
                                     static_cast<int64_t>(std::time(nullptr)));
  error.retry_after_s = call.retry_after_s.value_or(0);
  if (reply.status == 400 || reply.status == 422) {
    const ServiceComplaint said = read_complaint(reply.body);
    if (give_way(said, call.parameters)) {
      say(fmt::format("{} does not take a parameter: {}; asking without it",
                      call.request.model, error.message));
      error.transient = true;
      const std::lock_guard lock(mutex_);
      refused_[call.request.model].push_back(said);
    }
  }
  return tl::unexpected(std::move(error));
}

// A request whose cost nobody told: as much as it can have been.
void ServiceClient::charge_all(Call& call,
                               const std::optional<Spending::Hold>& hold) {
  if (call.price) {
    call.spent_usd += hold ? hold->usd() : most_usd(call.request, *call.price);
  } else {
    call.cost_unknown = true;
    if (options_.spending) options_.spending->count_unknown();
  }
}

// One request. What it may cost is held, and settled when that is known.
ChatResult<ChatReply> ServiceClient::attempt(Call& call, const Stop& stop) {
  std::optional<Spending::Hold> hold;
  if (options_.spending) {
    auto held = options_.spending->hold(
        call.price ? most_usd(call.request, *call.price) : 0, stop);
    if (!held) return tl::unexpected(std::move(held.error()));
    hold.emplace(*std::move(held));
  }
  ++call.requests;
  call.retry_after_s.reset();
  auto posted = http_.post({.url = url_,
                            .body = request_body(call.sent()),
                            .connect_timeout_s = options_.connect_timeout_s,
                            .timeout_s = options_.timeout_s,
                            .ca_file = options_.ca_file},
                           options_.key, stop);
  if (!posted) {
    const bool perhaps_charged =
        posted.error().kind == HttpError::Kind::timed_out ||
        posted.error().kind == HttpError::Kind::cut_off ||
        posted.error().kind == HttpError::Kind::too_large ||
        posted.error().kind == HttpError::Kind::cancelled;
    if (perhaps_charged) {
      charge_all(call, hold);
    } else if (hold) {
      hold->settle(0);
    }
    hide_secrets(posted.error().message);
    return tl::unexpected(error_of(posted.error()));
  }
  const bool answered = posted->status == 200;
  auto reply = judge(call, *std::move(posted));
  if (reply) {
    const double usd = price(call, *reply);
    call.spent_usd += usd;
    if (hold) hold->settle(usd);
    if (options_.spending && !reply->cost_usd) {
      options_.spending->count_unknown();
    }
  } else if (answered) {
    charge_all(call, hold);  // an answer that is of no use costs as much
  } else if (hold) {
    hold->settle(0);
  }
  return reply;
}

ChatResult<ChatReply> ServiceClient::chat(const ChatRequest& request,
                                          const Stop& stop) {
  const double start_ms = monotonic_ms();
  Call call{request,
            known_parameters(request),
            options_.prices.find(request.model),
            Rng(request.rng_seed).fork("back-off"),
            0,
            0,
            0,
            0,
            false,
            {}};
  const auto finish = [&](ChatError error) {
    error.latency_ms = monotonic_ms() - start_ms;
    error.requests = call.requests;
    error.cost_usd =
        call.cost_unknown ? std::nullopt : std::optional(call.spent_usd);
    return tl::unexpected(std::move(error));
  };
  ChatError last;
  while (true) {
    const auto admission = breaker_.enter(stop);
    if (admission == CircuitBreaker::Admission::cancelled) {
      last.kind = ChatErrorKind::cancelled;
      last.message = shown_url_ + ": cancelled";
      last.transient = false;
      return finish(std::move(last));
    }
    if (admission == CircuitBreaker::Admission::gave_up) {
      last.kind = ChatErrorKind::service_down;
      last.message = fmt::format(
          "{}: given up after {:.0f} s without an "
          "answer: {}",
          shown_url_, options_.breaker.give_up_s, breaker_.reason());
      return finish(std::move(last));
    }
    auto reply = attempt(call, stop);
    if (reply) {
      breaker_.succeeded();
      reply->latency_ms = monotonic_ms() - start_ms;
      reply->requests = call.requests;
      if (call.cost_unknown) reply->cost_usd.reset();
      if (reply->cost_usd) reply->cost_usd = call.spent_usd;
      return reply;
    }
    last = std::move(reply.error());
    const double asked = call.retry_after_s.value_or(0);
    const double patience =
        asked > 0
            ? asked
            : backoff_s(call.lost + call.limited, options_.first_backoff_s,
                        options_.longest_backoff_s, call.rng);
    switch (last.kind) {
      case ChatErrorKind::cancelled:
      case ChatErrorKind::over_budget:
        breaker_.abandoned();
        return finish(std::move(last));
      case ChatErrorKind::refused:
      case ChatErrorKind::declined:
        breaker_.succeeded();  // it is there, and said no
        if (!last.transient) return finish(std::move(last));
        continue;
      case ChatErrorKind::rate_limited:
        if (patience > options_.longest_retry_after_s) {
          breaker_.abandoned();
          last.message += fmt::format("; it asks to wait {:.0f} s", patience);
          return finish(std::move(last));
        }
        ++call.limited;
        breaker_.rate_limited(patience, last.message);
        continue;
      case ChatErrorKind::service_down:
        if (!last.transient) {
          breaker_.abandoned();
          return finish(std::move(last));
        }
        if (asked > 0 && asked <= options_.longest_retry_after_s) {
          breaker_.rate_limited(patience, last.message);
        } else {
          breaker_.failed(last.message);
        }
        if (breaker_.open()) continue;
        break;
      case ChatErrorKind::timed_out:
        breaker_.abandoned();
        break;
      case ChatErrorKind::bad_answer:
        breaker_.succeeded();
        if (!last.transient) return finish(std::move(last));
        break;
    }
    if (++call.lost >= options_.tries) return finish(std::move(last));
    if (!wait_for(patience, stop)) {
      last.kind = ChatErrorKind::cancelled;
      last.transient = false;
      return finish(std::move(last));
    }
  }
}

}  // namespace evoke::llm
