#include "evoke/store/call_rows.h"

#include "tests/store/support.h"

namespace evoke::test {
namespace {

LlmCall make_call(int64_t proposal) {
  LlmCall call;
  call.proposal = proposal;
  call.attempt = 1;
  call.round = 2;
  call.model = "gpt-x";
  call.operation = "improve";
  call.started = "2026-11-28T10:41:07Z";
  call.messages = {{"system", "You are"}, {"user", "\"quoted\"\n</script>"}};
  call.answer = "```cpp\nint x;\n```";
  call.finish_reason = "stop";
  call.usage = {100, 20, 30, 10};
  if (proposal % 2 == 0) call.cost_usd = 0.1 + 0.2;
  call.latency_ms = 1.0 / 3.0;
  call.requests = 3;
  call.error_kind = "rate_limited";
  call.error = "too many";
  call.refusal = "no block";
  return call;
}

std::vector<LlmCall> calls_of(const RunStore& store, std::string* error) {
  std::vector<LlmCall> calls;
  const auto done = store.each_call([&](LlmCall&& call) {
    calls.push_back(std::move(call));
    return true;
  });
  if (!done) *error = done.error().message;
  return calls;
}

TEST(CallRows, GiveBackExactlyWhatWasRecorded) {
  const TemporaryFolder folder;
  const auto store = RunStore::create(folder / "run", {});
  ASSERT_TRUE(store.has_value());
  (*store)->record_call(make_call(7));
  (*store)->record(make_step(1));
  (*store)->record_call(make_call(4));
  std::string error;
  const auto calls = calls_of(**store, &error);
  ASSERT_EQ(calls.size(), 2U) << error;
  EXPECT_EQ(to_json(calls[0]), to_json(make_call(7)));
  EXPECT_EQ(to_json(calls[1]), to_json(make_call(4)));
  EXPECT_FALSE(calls[0].cost_usd.has_value());
  EXPECT_EQ((*store)->spent_usd().value(), 0.1 + 0.2);
}

TEST(CallRows, AreRecordedWithAStepOrNotAtAll) {
  const TemporaryFolder folder;
  std::string error;
  const auto store = RunStore::create(folder / "run", {});
  (*store)->record_all({make_call(1), make_call(2)}, make_step(1));
  EXPECT_EQ(calls_of(**store, &error).size(), 2U);
  EXPECT_EQ(steps_of(**store).size(), 1U);

  // A candidate that is another one than before is refused.
  Step other = make_step(2);
  other.candidate = make_step(1).candidate;
  other.candidate.text = "another text";
  EXPECT_THROW((*store)->record_all({make_call(3)}, other), StartupError);
  EXPECT_EQ(calls_of(**store, &error).size(), 2U);
  EXPECT_EQ(steps_of(**store).size(), 1U);
  (*store)->record_all({make_call(3)}, make_step(2));
  EXPECT_EQ(calls_of(**store, &error).size(), 3U);
}

TEST(CallRows, KeepBytesThatAreNoText) {
  const TemporaryFolder folder;
  const auto store = RunStore::create(folder / "run", {});
  LlmCall call = make_call(1);
  call.answer = std::string("a\xff\0b", 4);
  (*store)->record_call(call);
  std::string error;
  ASSERT_EQ(calls_of(**store, &error).size(), 1U) << error;
}

TEST(CallRows, NoticeAByteThatChanged) {
  const TemporaryFolder folder;
  {
    const auto store = RunStore::create(folder / "run", {});
    (*store)->record_call(make_call(1));
  }
  {
    auto database =
        Database::open(folder / "run/run.db", Database::Mode::write);
    ASSERT_TRUE(database
                    ->execute("UPDATE llm_calls SET record = "
                              "replace(record, 'too many', 'too much')")
                    .has_value());
  }
  const auto store = RunStore::open_for_reading(folder / "run");
  std::string error;
  EXPECT_TRUE(calls_of(**store, &error).empty());
  EXPECT_NE(error.find("call of a model 1"), std::string::npos) << error;
  EXPECT_FALSE((*store)->spent_usd().has_value());
}

TEST(CallRows, RefuseJsonWithoutAField) {
  const Json whole = to_json(make_call(1));
  ASSERT_TRUE(llm_call_from_json(whole).has_value());
  for (const auto& [key, value] : whole.items()) {
    Json json = whole;
    json.erase(key);
    EXPECT_FALSE(llm_call_from_json(json).has_value()) << key;
  }
}

}  // namespace
}  // namespace evoke::test
