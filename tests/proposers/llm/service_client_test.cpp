#include "evoke/proposers/llm/service_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/proposers/llm/local_service.h"
#include "tests/proposers/llm/service_setup.h"
#include "tests/support/temporary_folder.h"

namespace evoke::llm {
namespace {

using test::ask;
using test::complains;
using test::kKey;
using test::LocalService;
using test::options_for;
using test::says;
using test::ServiceReply;
using test::ServiceRequest;
using test::test_key;
using testing::HasSubstr;
using testing::Not;
using Fault = ServiceReply::Fault;

TEST(ServiceClient, AsksAndReadsTheAnswer) {
  LocalService service([](const auto&, int) { return says("hi"); });
  ServiceClient client(options_for(service.base_url()));
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, "hi");
  EXPECT_EQ(reply->model, "test-model-1");
  EXPECT_EQ(reply->requests, 1);
  EXPECT_GT(reply->latency_ms, 0);
  EXPECT_DOUBLE_EQ(reply->cost_usd.value(), 100 * 1e-3 + 20 * 1e-2);
  const ServiceRequest seen = service.requests().at(0);
  EXPECT_EQ(seen.line, "POST /v1/chat/completions HTTP/1.1");
  EXPECT_EQ(seen.headers.at("authorization"), std::string("Bearer ") + kKey);
  EXPECT_EQ(seen.headers.at("content-type"), "application/json");
  EXPECT_EQ(seen.json()["messages"][0]["content"], "hello");
}

TEST(ServiceClient, KeepsItsConnectionAndIsThreadSafe) {
  LocalService service([](const ServiceRequest& request, int) {
    return says(request.json()["messages"][0]["content"].get<std::string>());
  });
  ServiceClient client(options_for(service.base_url()));
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        ChatRequest request = ask();
        request.messages[0].content = std::to_string(100 * t + i);
        const auto reply = client.chat(request, nullptr);
        if (reply && reply->text == request.messages[0].content) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 80);
  EXPECT_EQ(service.count(), 80);
}

TEST(ServiceClient, WaitsAsLongAsTheServiceAsks) {
  LocalService service([](const auto&, int number) {
    if (number > 0) return says("hi");
    ServiceReply busy = complains(429, "slow down");
    busy.headers = {{"Retry-After", "1"}};
    return busy;
  });
  ServiceClient client(options_for(service.base_url()));
  const auto start = std::chrono::steady_clock::now();
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->requests, 2);
  EXPECT_GE(std::chrono::steady_clock::now() - start,
            std::chrono::milliseconds(950));
}

TEST(ServiceClient, HonoursRetryAfterDates) {
  LocalService service([](const auto&, int number) {
    if (number > 0) return says("hi");
    ServiceReply busy = complains(503, "restarting");
    busy.headers = {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                    {"Retry-After", "Sun, 06 Nov 1994 08:49:38 GMT"}};
    return busy;
  });
  ServiceClient client(options_for(service.base_url()));
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(client.chat(ask(), nullptr));
  EXPECT_GE(std::chrono::steady_clock::now() - start,
            std::chrono::milliseconds(950));
}

TEST(ServiceClient, DoesNotWaitForHours) {
  LocalService service([](const auto&, int) {
    ServiceReply busy = complains(429, "daily limit");
    busy.headers = {{"Retry-After", "7200"}};
    return busy;
  });
  ServiceClient client(options_for(service.base_url()));
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ChatErrorKind::rate_limited);
  EXPECT_EQ(reply.error().http_status, 429);
  EXPECT_EQ(reply.error().retry_after_s, 7200);
  EXPECT_TRUE(reply.error().transient);
  EXPECT_THAT(reply.error().message, HasSubstr("daily limit"));
  EXPECT_EQ(service.count(), 1);
}

TEST(ServiceClient, RetriesOnceEachAndNotMore) {
  LocalService service(
      [](const auto&, int) { return complains(500, "broken"); });
  ServiceClient client(options_for(service.base_url()));
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ChatErrorKind::service_down);
  EXPECT_EQ(reply.error().requests, 3);
  EXPECT_EQ(service.count(), 3);
  EXPECT_THAT(reply.error().message, HasSubstr("HTTP 500: broken"));
}

struct FaultCase {
  const char* name;
  ServiceReply reply;
  ChatErrorKind kind;
  int requests;
};

class Faults : public testing::TestWithParam<FaultCase> {};

TEST_P(Faults, AreToldApart) {
  const FaultCase& fault = GetParam();
  LocalService service([&](const auto&, int) { return fault.reply; });
  ServiceOptions options = options_for(service.base_url());
  if (fault.kind == ChatErrorKind::timed_out) options.timeout_s = 0.2;
  ServiceClient client(options);
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, fault.kind) << reply.error().message;
  EXPECT_EQ(service.count(), fault.requests) << reply.error().message;
  EXPECT_EQ(reply.error().message.find('\n'), std::string::npos);
  EXPECT_THAT(reply.error().message, HasSubstr("/v1/chat/completions"));
}

// The same fault once, then an answer: what is repeated gets it.
TEST_P(Faults, AreOvercomeWhenTheyPass) {
  const FaultCase& fault = GetParam();
  LocalService service([&](const auto&, int number) {
    return number == 0 ? fault.reply : says("hi");
  });
  ServiceOptions options = options_for(service.base_url());
  if (fault.kind == ChatErrorKind::timed_out) options.timeout_s = 1;
  ServiceClient client(options);
  const auto reply = client.chat(ask(), nullptr);
  if (fault.requests == 1) {
    EXPECT_FALSE(reply);
    EXPECT_EQ(service.count(), 1);
    return;
  }
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, "hi");
  EXPECT_EQ(reply->requests, 2);
}

INSTANTIATE_TEST_SUITE_P(
    ServiceClient, Faults,
    testing::Values(
        FaultCase{"unauthorized", complains(401, "bad key"),
                  ChatErrorKind::refused, 1},
        FaultCase{"no_model", complains(404, "no such model"),
                  ChatErrorKind::refused, 1},
        FaultCase{"quota", complains(429, "pay first", "insufficient_quota"),
                  ChatErrorKind::refused, 1},
        FaultCase{"redirect",
                  {.status = 302,
                   .headers = {{"Location", "http://127.0.0.1:1/steal"}}},
                  ChatErrorKind::refused,
                  1},
        FaultCase{"internal", complains(500, "oops"),
                  ChatErrorKind::service_down, 3},
        FaultCase{"html",
                  {.status = 502, .body = "<html>\nbad gateway"},
                  ChatErrorKind::service_down,
                  3},
        FaultCase{
            "reset", {.fault = Fault::reset}, ChatErrorKind::service_down, 3},
        FaultCase{"no_answer",
                  {.fault = Fault::no_answer},
                  ChatErrorKind::service_down,
                  3},
        FaultCase{"half_body",
                  {.body = std::string(1000, ' '), .fault = Fault::half_body},
                  ChatErrorKind::service_down,
                  3},
        FaultCase{"slow_headers",
                  {.body = "{}", .delay_ms = 5000},
                  ChatErrorKind::timed_out,
                  3},
        FaultCase{"invalid_json",
                  {.body = "{\"choices\": [{"},
                  ChatErrorKind::bad_answer,
                  3},
        FaultCase{"wrong_shape",
                  {.body = "{\"choices\": \"many\"}"},
                  ChatErrorKind::bad_answer,
                  3},
        FaultCase{"empty_choices",
                  {.body = "{\"choices\": []}"},
                  ChatErrorKind::bad_answer,
                  3},
        FaultCase{"null_content",
                  {.body = R"({"choices": [{"message": {"content": null}}]})"},
                  ChatErrorKind::bad_answer,
                  3},
        FaultCase{"refusal",
                  {.body = R"({"choices": [{"message": {"content": null,
                              "refusal": "no"}}]})"},
                  ChatErrorKind::declined,
                  1}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(ServiceClient, PausesWhileTheServiceIsDown) {
  std::vector<std::string> told;
  std::mutex mutex;
  LocalService service([](const auto&, int number) {
    return number < 9 ? complains(503, "down") : says("hi");
  });
  ServiceOptions options = options_for(service.base_url());
  options.breaker.failures = 3;
  options.notice = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    told.push_back(line);
  };
  ServiceClient client(options);
  // Four calls at once: none of them fails, although each could have used up
  // its tries.
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      if (client.chat(ask(), nullptr)) ++answered;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 4);
  EXPECT_THAT(told, testing::Contains(HasSubstr("is down")));
  EXPECT_THAT(told, testing::Contains(HasSubstr("answers again")));
}

TEST(ServiceClient, GivesUpWhenNobodyIsThere) {
  std::string url;
  {
    const LocalService gone([](const auto&, int) { return says(""); });
    url = gone.base_url();
  }
  ServiceOptions options = options_for(url);
  options.breaker.failures = 2;
  options.breaker.give_up_s = 0.1;
  ServiceClient client(options);
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ChatErrorKind::service_down);
  EXPECT_THAT(reply.error().message, HasSubstr("given up"));
}

TEST(ServiceClient, StopsWhenTold) {
  LocalService service([](const auto&, int) {
    return ServiceReply{.body = "{}", .delay_ms = 60'000};
  });
  ServiceClient client(options_for(service.base_url()));
  std::atomic<bool> stop = false;
  std::thread later([&] {
    while (service.count() == 0) std::this_thread::yield();
    stop = true;
  });
  const auto reply = client.chat(ask(), [&] { return stop.load(); });
  later.join();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ChatErrorKind::cancelled);
}

TEST(ServiceClient, LeavesOutWhatAModelDoesNotTake) {
  LocalService service([](const ServiceRequest& request, int) {
    if (request.json().contains("temperature")) {
      return ServiceReply{.status = 400,
                          .body = R"({"error": {"message": "Unsupported value",
                      "param": "temperature"}})"};
    }
    return says("hi");
  });
  ServiceClient client(options_for(service.base_url()));
  ChatRequest request = ask();
  request.parameters.temperature = 0.5;
  request.parameters.top_p = 0.5;
  for (int i = 0; i < 2; ++i) {
    const auto reply = client.chat(request, nullptr);
    ASSERT_TRUE(reply) << reply.error().message;
  }
  EXPECT_EQ(service.count(), 3);  // it is remembered
  EXPECT_EQ(service.requests().back().json()["top_p"], 0.5);
}

TEST(ServiceClient, KeepsTheBudget) {
  LocalService service([](const auto&, int) { return says("hi", 100, 20); });
  ServiceOptions options = options_for(service.base_url());
  options.spending = std::make_shared<Spending>(1.0);
  options.likely_answer_tokens = 20;  // 0.21 held, 0.3 spent per answer
  ServiceClient client(options);
  int answered = 0;
  ChatResult<ChatReply> reply = client.chat(ask(), nullptr);
  while (reply && answered < 10) {
    ++answered;
    reply = client.chat(ask(), nullptr);
  }
  EXPECT_EQ(answered, 3);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ChatErrorKind::over_budget);
  EXPECT_EQ(service.count(), 3);
  EXPECT_NEAR(options.spending->spent_usd(), 0.9, 1e-9);
}

TEST(ServiceClient, CountsWhatALostAnswerMayHaveCost) {
  LocalService service([](const auto&, int number) {
    if (number == 0) {
      return ServiceReply{.body = std::string(1000, ' '),
                          .fault = Fault::half_body};
    }
    return number == 1 ? complains(500, "free") : says("hi", 100, 20);
  });
  ServiceOptions options = options_for(service.base_url());
  options.spending = std::make_shared<Spending>();
  options.likely_answer_tokens = 20;
  ServiceClient client(options);
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_NEAR(reply->cost_usd.value(), 0.21 + 0.3, 1e-9);
  EXPECT_NEAR(options.spending->spent_usd(), 0.21 + 0.3, 1e-9);
  EXPECT_EQ(options.spending->held_usd(), 0);
}

TEST(ServiceClient, DoesNotRepeatAnAnswerThatHadNoRoom) {
  LocalService service([](const auto&, int) {
    return ServiceReply{.body = R"({"choices": [{"message": {"content": ""},
                                 "finish_reason": "length"}]})"};
  });
  ServiceClient client(options_for(service.base_url()));
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().message, HasSubstr("max_completion_tokens"));
  EXPECT_EQ(service.count(), 1);
}

TEST(ServiceClient, AModelWithoutAPriceCostsAnUnknownAmount) {
  LocalService service([](const auto&, int) { return says("hi"); });
  ServiceOptions options = options_for(service.base_url());
  options.spending = std::make_shared<Spending>();
  ServiceClient client(options);
  const auto reply = client.chat(ask("unheard-of"), nullptr);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->cost_usd, std::nullopt);
  EXPECT_EQ(options.spending->unknown_requests(), 1);
}

TEST(ServiceClient, TheKeyIsInNoError) {
  // A service that repeats the request's header, as some debug pages do.
  LocalService service([](const ServiceRequest& request, int) {
    return complains(401, "bad header " + request.headers.at("authorization"));
  });
  std::vector<std::string> told;
  ServiceOptions options = options_for(service.base_url());
  options.notice = [&](const std::string& line) { told.push_back(line); };
  ServiceClient client(options);
  const auto reply = client.chat(ask(), nullptr);
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().message, Not(HasSubstr(kKey)));
  EXPECT_THAT(reply.error().message, HasSubstr("EVOKE_TEST_KEY"));
  for (const std::string& line : told) EXPECT_THAT(line, Not(HasSubstr(kKey)));
}

TEST(ServiceClient, RefusesUrlsThatGiveAwaySecrets) {
  const auto message = [](const std::string& url, bool plain = false) {
    ServiceOptions options = options_for(url);
    options.plain_http = plain;
    try {
      const ServiceClient client(options);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message("https://me:pass@host/v1"), HasSubstr("password"));
  EXPECT_THAT(message("https://me:pass@host/v1"), Not(HasSubstr("pass@")));
  EXPECT_THAT(message("http://example.com/v1"), HasSubstr("unencrypted"));
  EXPECT_THAT(message("https://host/v1?api_key=abc"), HasSubstr("query"));
  EXPECT_THAT(message("https://host/v1?api_key=abc"), Not(HasSubstr("abc")));
  EXPECT_THAT(message("file:///etc/passwd"), HasSubstr("https://"));
  EXPECT_THAT(message("api.openai.com"), HasSubstr("https://"));
  EXPECT_EQ(message("http://example.com/v1", true), "");
  EXPECT_EQ(message("http://localhost:8080/v1"), "");
  EXPECT_EQ(message("http://[::1]:8080/v1"), "");
  EXPECT_EQ(message("https://example.com/v1"), "");
}

}  // namespace
}  // namespace evoke::llm
