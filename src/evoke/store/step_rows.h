// Steps as rows of the database and back. Every number survives exactly.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/evolution/interfaces/event_sink.h"
#include "evoke/store/sqlite.h"

namespace evoke {

class StepWriter {
 public:
  static Result<StepWriter> prepare(Database& database);
  // Inside a transaction of the caller's. `failed` also for a candidate that
  // was recorded as another one before.
  Result<void> write(const Step& step);

 private:
  StepWriter() = default;
  Result<void> write_candidate(const Candidate& candidate);
  Result<void> write_outcome(const Step& step);

  Statement candidate_;
  Statement known_candidate_;
  Statement outcome_;
  Statement measurement_;
  Statement event_;
};

class StepReader {
 public:
  // `tail` follows "FROM outcomes o JOIN candidates c ...": WHERE, ORDER BY.
  static Result<StepReader> prepare(Database& database, std::string_view tail);
  // For the parameters of `tail`.
  Statement& query() { return step_; }
  // Empty: there are no more. `failed` when a row is not what was written.
  Result<std::optional<Step>> next();

 private:
  StepReader() = default;
  Result<void> read_candidate(Candidate& candidate);
  Result<void> read_outcome(Step& step);
  // The columns of all rows, one after the other.
  static Result<std::vector<std::string>> rows_of(Statement& query,
                                                  int64_t sequence,
                                                  int columns);

  Statement step_;
  Statement measurements_;
  Statement events_;
};

}  // namespace evoke
