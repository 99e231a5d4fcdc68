// Calls of language models as rows of the database, and as JSON.
#pragma once

#include <optional>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/evolution/interfaces/llm_call.h"
#include "evoke/store/sqlite.h"

namespace evoke {

Json to_json(const LlmCall& call);
Result<LlmCall> llm_call_from_json(const Json& json);

class CallWriter {
 public:
  static Result<CallWriter> prepare(Database& database);
  // Inside a transaction of the caller's.
  Result<void> write(const LlmCall& call);

 private:
  CallWriter() = default;
  Statement insert_;
};

class CallReader {
 public:
  // In order of their ends. A run of format 1 has none.
  static Result<CallReader> prepare(Database& database);
  // Empty: there are no more. `failed` when a row is not what was written.
  Result<std::optional<LlmCall>> next();

 private:
  CallReader() = default;
  std::optional<Statement> select_;
};

}  // namespace evoke
