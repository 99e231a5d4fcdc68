#include "evoke/store/schema.h"

namespace evoke {
namespace {

// A step is a row of `outcomes` with its rows of `measurements` and `events`.
// `record` is the truth, in core's JSON form, which keeps every number
// exactly; the other columns repeat or compute parts of it for queries. SQLite
// does not notice a byte that changed on the disk: checksums do (step_rows.cpp
// says what they cover).
constexpr const char* kTables = R"(
CREATE TABLE run (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE candidates (
  id INTEGER PRIMARY KEY,
  genome_hash TEXT NOT NULL,
  parents TEXT NOT NULL,
  inspirations TEXT NOT NULL,
  island INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  proposer TEXT NOT NULL,
  operation TEXT NOT NULL,
  summary TEXT NOT NULL,
  text TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  strategies TEXT NOT NULL DEFAULT '[]',
  seconds REAL NOT NULL DEFAULT 0,
  usd REAL DEFAULT 0
) STRICT;

CREATE TABLE outcomes (
  sequence INTEGER PRIMARY KEY,
  candidate INTEGER NOT NULL REFERENCES candidates(id),
  purpose TEXT NOT NULL,
  kind TEXT NOT NULL,
  stage TEXT NOT NULL,
  fitness REAL,
  elapsed_s REAL NOT NULL,
  record TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  message TEXT GENERATED ALWAYS AS (json_extract(record, '$.message')) VIRTUAL
) STRICT;
CREATE INDEX outcomes_of_candidate ON outcomes(candidate, kind);

CREATE TABLE measurements (
  sequence INTEGER NOT NULL REFERENCES outcomes(sequence),
  position INTEGER NOT NULL,
  record TEXT NOT NULL,
  shape TEXT GENERATED ALWAYS AS (json_extract(record, '$.shape')) VIRTUAL,
  baseline TEXT
    GENERATED ALWAYS AS (json_extract(record, '$.baseline')) VIRTUAL,
  cache_state TEXT
    GENERATED ALWAYS AS (json_extract(record, '$.cache_state')) VIRTUAL,
  candidate_us REAL
    GENERATED ALWAYS AS (json_extract(record, '$.candidate_us')) VIRTUAL,
  baseline_us REAL
    GENERATED ALWAYS AS (json_extract(record, '$.baseline_us')) VIRTUAL,
  speedup REAL GENERATED ALWAYS AS (json_extract(record, '$.speedup')) VIRTUAL,
  speedup_low REAL
    GENERATED ALWAYS AS (json_extract(record, '$.speedup_low')) VIRTUAL,
  speedup_high REAL
    GENERATED ALWAYS AS (json_extract(record, '$.speedup_high')) VIRTUAL,
  roof_us REAL GENERATED ALWAYS AS (json_extract(record, '$.roof_us')) VIRTUAL,
  verdict TEXT GENERATED ALWAYS AS (json_extract(record, '$.verdict')) VIRTUAL,
  pairs TEXT GENERATED ALWAYS AS (json_extract(record, '$.pairs')) VIRTUAL,
  PRIMARY KEY (sequence, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  sequence INTEGER NOT NULL REFERENCES outcomes(sequence),
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (sequence, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_about_the_best ON events(sequence, position)
  WHERE kind IN ('best', 'best_revoked');
)";

// A candidate's number may stand here before it has a row of its own, and for
// ever when the call came to nothing.
constexpr const char* kCallTable = R"(
CREATE TABLE llm_calls (
  id INTEGER PRIMARY KEY,
  candidate INTEGER NOT NULL,
  model TEXT NOT NULL,
  record TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  usd REAL GENERATED ALWAYS AS (json_extract(record, '$.cost_usd')) VIRTUAL,
  latency_ms REAL
    GENERATED ALWAYS AS (json_extract(record, '$.latency_ms')) VIRTUAL,
  operation TEXT
    GENERATED ALWAYS AS (json_extract(record, '$.operation')) VIRTUAL,
  error TEXT
    GENERATED ALWAYS AS (json_extract(record, '$.error_kind')) VIRTUAL
) STRICT;
CREATE INDEX llm_calls_of_candidate ON llm_calls(candidate);
)";

// Candidates of format 1 name no strategies and cost nothing; its table of
// calls was never written to.
constexpr const char* kFromVersion1 = R"(
ALTER TABLE candidates ADD COLUMN strategies TEXT NOT NULL DEFAULT '[]';
ALTER TABLE candidates ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE candidates ADD COLUMN usd REAL DEFAULT 0;
DROP TABLE llm_calls;
)";

}  // namespace

Result<void> create_tables(Database& database) {
  return database.execute(
      std::string(kTables) + kCallTable +
      "PRAGMA application_id=" + std::to_string(kApplicationId) + ";" +
      "PRAGMA user_version=" + std::to_string(kSchemaVersion) + ";");
}

Result<int> check_format(Database& database) {
  const auto id = database.number("PRAGMA application_id");
  if (!id) return error_of(id);
  if (*id != kApplicationId) {
    return failed(database.path() +
                  ": a database of another program, not a "
                  "run of evoke; name a run directory");
  }
  const auto version = database.number("PRAGMA user_version");
  if (!version) return error_of(version);
  if (*version >= kOldestSchemaVersion && *version <= kSchemaVersion) {
    return static_cast<int>(*version);
  }
  return failed(database.path() + ": format version " +
                std::to_string(*version) + ", this evoke reads versions " +
                std::to_string(kOldestSchemaVersion) + " to " +
                std::to_string(kSchemaVersion) + "; use " +
                (*version > kSchemaVersion ? "a newer evoke"
                                           : "the evoke that wrote it"));
}

Result<void> migrate(Database& database, int version) {
  if (version == kSchemaVersion) return {};
  auto done = database.execute("BEGIN IMMEDIATE");
  if (!done) return done;
  done = database.execute(
      std::string(kFromVersion1) + kCallTable +
      "PRAGMA user_version=" + std::to_string(kSchemaVersion) + ";");
  if (done) done = database.execute("COMMIT");
  if (!done) static_cast<void>(database.execute("ROLLBACK"));
  return done;
}

}  // namespace evoke
