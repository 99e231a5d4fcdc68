// Steps as rows of the database and back. Every number survives exactly.
#pragma once

#include "evoke/base/error.h"
#include "evoke/evolution/interfaces/event_sink.h"
#include "evoke/store/sqlite.h"

namespace evoke {

// The tables, for PRAGMA user_version 1.
extern const char* const kSchema;

class StepWriter {
 public:
  static Result<StepWriter> prepare(Database& database);
  // Inside a transaction of the caller's.
  Result<void> write(const Step& step);

 private:
  StepWriter() = default;
  Statement candidate_;
  Statement step_;
  Statement measurement_;
};

// Columns that read_step() expects, for a SELECT over `steps s JOIN
// candidates c ON c.id = s.candidate`.
extern const char* const kStepColumns;
Result<Step> read_step(const Statement& row);

}  // namespace evoke
