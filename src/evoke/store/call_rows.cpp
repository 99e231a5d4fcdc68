#include "evoke/store/call_rows.h"

#include <bit>
#include <string>
#include <utility>

#include "evoke/base/hash.h"
#include "evoke/base/utf8.h"
#include "evoke/store/step_json.h"

namespace evoke {
namespace {

int64_t checksum_of(int64_t candidate, std::string_view model,
                    std::string_view record) {
  uint64_t value = hash_u64(std::to_string(candidate), 0);
  value = hash_u64(model, value);
  return std::bit_cast<int64_t>(hash_u64(record, value));
}

// Throws Json::exception, caught in llm_call_from_json().
LlmCall read_call(const Json& json) {
  LlmCall call;
  json.at("proposal").get_to(call.proposal);
  json.at("attempt").get_to(call.attempt);
  json.at("round").get_to(call.round);
  json.at("model").get_to(call.model);
  json.at("operation").get_to(call.operation);
  json.at("started").get_to(call.started);
  for (const Json& message : json.at("messages")) {
    call.messages.push_back({message.at("role").get<std::string>(),
                             message.at("content").get<std::string>()});
  }
  json.at("answer").get_to(call.answer);
  json.at("finish_reason").get_to(call.finish_reason);
  const Json& usage = json.at("usage");
  usage.at("prompt_tokens").get_to(call.usage.prompt_tokens);
  usage.at("cached_tokens").get_to(call.usage.cached_tokens);
  usage.at("completion_tokens").get_to(call.usage.completion_tokens);
  usage.at("reasoning_tokens").get_to(call.usage.reasoning_tokens);
  if (const Json& usd = json.at("cost_usd"); !usd.is_null()) {
    call.cost_usd = usd.get<double>();
  }
  json.at("latency_ms").get_to(call.latency_ms);
  json.at("requests").get_to(call.requests);
  json.at("error_kind").get_to(call.error_kind);
  json.at("error").get_to(call.error);
  json.at("refusal").get_to(call.refusal);
  return call;
}

}  // namespace

Json to_json(const LlmCall& call) {
  Json messages = Json::array();
  for (const LlmMessage& message : call.messages) {
    messages.push_back(
        {{"role", message.role}, {"content", to_valid_utf8(message.content)}});
  }
  return {{"proposal", call.proposal},
          {"attempt", call.attempt},
          {"round", call.round},
          {"model", to_valid_utf8(call.model)},
          {"operation", call.operation},
          {"started", call.started},
          {"messages", std::move(messages)},
          {"answer", to_valid_utf8(call.answer)},
          {"finish_reason", to_valid_utf8(call.finish_reason)},
          {"usage",
           {{"prompt_tokens", call.usage.prompt_tokens},
            {"cached_tokens", call.usage.cached_tokens},
            {"completion_tokens", call.usage.completion_tokens},
            {"reasoning_tokens", call.usage.reasoning_tokens}}},
          {"cost_usd", call.cost_usd ? Json(*call.cost_usd) : Json(nullptr)},
          {"latency_ms", call.latency_ms},
          {"requests", call.requests},
          {"error_kind", call.error_kind},
          {"error", to_valid_utf8(call.error)},
          {"refusal", to_valid_utf8(call.refusal)}};
}

Result<LlmCall> llm_call_from_json(const Json& json) {
  try {
    return read_call(json);
  } catch (const Json::exception& error) {
    return failed(std::string("call of a model: ") + error.what());
  }
}

Result<CallWriter> CallWriter::prepare(Database& database) {
  auto insert = database.prepare(
      "INSERT INTO llm_calls(candidate, model, record, checksum) "
      "VALUES (?1,?2,?3,?4)");
  if (!insert) return error_of(insert);
  CallWriter writer;
  writer.insert_ = std::move(*insert);
  return writer;
}

Result<void> CallWriter::write(const LlmCall& call) {
  const std::string record = dump_json(to_json(call));
  const std::string model = to_valid_utf8(call.model);
  return insert_.bind(1, call.proposal)
      .bind(2, model)
      .bind(3, record)
      .bind(4, checksum_of(call.proposal, model, record))
      .run();
}

Result<CallReader> CallReader::prepare(Database& database) {
  CallReader reader;
  const auto version = database.number("PRAGMA user_version");
  if (!version) return error_of(version);
  if (*version < 2) return reader;
  auto select = database.prepare(
      "SELECT id, candidate, model, record, checksum FROM llm_calls "
      "ORDER BY id");
  if (!select) return error_of(select);
  reader.select_ = std::move(*select);
  return reader;
}

Result<std::optional<LlmCall>> CallReader::next() {
  if (!select_) return std::nullopt;
  const auto row = select_->step();
  if (!row) return error_of(row);
  if (!*row) return std::nullopt;
  const std::string record = select_->text(3);
  const std::string where =
      "call of a model " + std::to_string(select_->integer(0));
  if (checksum_of(select_->integer(1), select_->text(2), record) !=
      select_->integer(4)) {
    return failed(where + " is not what was written");
  }
  const Json json = Json::parse(record, nullptr, false);
  auto call = llm_call_from_json(json);
  if (!call) return failed(where + ": " + call.error().message);
  return std::move(*call);
}

}  // namespace evoke
