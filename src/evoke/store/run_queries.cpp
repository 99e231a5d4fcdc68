// What can be asked of a run.
#include <filesystem>
#include <utility>

#include "evoke/store/run_store.h"
#include "evoke/store/run_store_parts.h"

namespace evoke {
namespace {

namespace fs = std::filesystem;

// The error of a step's rows with the place where it is.
template <typename T>
tl::unexpected<Error> damaged(const std::string& folder,
                              const Result<T>& result) {
  return failed(folder + "/run.db: " + result.error().message);
}

}  // namespace

Result<Json> RunStore::fact(std::string_view key) const {
  auto statement =
      implementation_->database.prepare("SELECT value FROM run WHERE key = ?1");
  if (!statement) return error_of(statement);
  const auto row = statement->bind(1, key).step();
  if (!row) return damaged(folder(), row);
  if (!*row) return absent(folder() + ": no fact '" + std::string(key) + "'");
  auto value = Json::parse(statement->text(0), nullptr, false);
  if (!value.is_discarded()) return value;
  return failed(folder() + "/run.db: fact '" + std::string(key) +
                "' is damaged");
}

Result<Json> RunStore::facts() const {
  auto statement =
      implementation_->database.prepare("SELECT key, value FROM run");
  if (!statement) return error_of(statement);
  Json facts = Json::object();
  for (;;) {
    const auto row = statement->step();
    if (!row) return damaged(folder(), row);
    if (!*row) return facts;
    Json value = Json::parse(statement->text(1), nullptr, false);
    if (value.is_discarded()) {
      return failed(folder() + "/run.db: fact '" + statement->text(0) +
                    "' is damaged");
    }
    facts[statement->text(0)] = std::move(value);
  }
}

Result<void> RunStore::each_step(
    const std::function<bool(Step&&)>& visit) const {
  Database& database = implementation_->database;
  const ReadSnapshot snapshot(database);
  auto reader = StepReader::prepare(database, "ORDER BY o.sequence");
  if (!reader) return error_of(reader);
  for (int64_t expected = 1;; ++expected) {
    auto step = reader->next();
    if (!step) return damaged(folder(), step);
    if (!*step) return {};
    if ((*step)->sequence != expected) {
      return failed(folder() + "/run.db: step " + std::to_string(expected) +
                    " is missing; the run cannot be replayed beyond it");
    }
    if (!visit(std::move(**step))) return {};
  }
}

Result<void> RunStore::each_call(
    const std::function<bool(LlmCall&&)>& visit) const {
  Database& database = implementation_->database;
  const ReadSnapshot snapshot(database);
  auto reader = CallReader::prepare(database);
  if (!reader) return error_of(reader);
  for (;;) {
    auto call = reader->next();
    if (!call) return damaged(folder(), call);
    if (!*call || !visit(std::move(**call))) return {};
  }
}

Result<double> RunStore::spent_usd() const {
  double spent = 0;
  const auto done = each_call([&](LlmCall&& call) {
    spent += call.cost_usd.value_or(0);
    return true;
  });
  if (!done) return error_of(done);
  return spent;
}

Result<Step> RunStore::step_of(CandidateId candidate) const {
  const ReadSnapshot snapshot(implementation_->database);
  auto reader = StepReader::prepare(
      implementation_->database,
      "WHERE o.candidate = ?1 ORDER BY o.fitness IS NOT NULL DESC, "
      "o.sequence DESC LIMIT 1");
  if (!reader) return error_of(reader);
  reader->query().bind(1, candidate);
  auto step = reader->next();
  if (!step) return damaged(folder(), step);
  if (*step) return std::move(**step);
  return absent(folder() + ": no candidate " + std::to_string(candidate) +
                "; numbers go from 1 to at most the number of steps");
}

Result<std::vector<Step>> RunStore::steps_of(CandidateId candidate) const {
  const ReadSnapshot snapshot(implementation_->database);
  auto reader = StepReader::prepare(implementation_->database,
                                    "WHERE o.candidate = ?1 "
                                    "ORDER BY o.sequence");
  if (!reader) return error_of(reader);
  reader->query().bind(1, candidate);
  std::vector<Step> steps;
  for (;;) {
    auto step = reader->next();
    if (!step) return damaged(folder(), step);
    if (!*step) return steps;
    steps.push_back(std::move(**step));
  }
}

Result<Step> RunStore::best() const {
  Database& database = implementation_->database;
  const ReadSnapshot snapshot(database);
  // A best that was revoked hands over to the one before it, if there is one.
  const auto id = database.number(
      "SELECT coalesce(json_extract(detail, CASE kind WHEN 'best' "
      "THEN '$.candidate' ELSE '$.best' END), 0) FROM events "
      "WHERE kind IN ('best', 'best_revoked') "
      "ORDER BY sequence DESC, position DESC LIMIT 1");
  if (!id) return error_of(id);
  if (*id == 0) return absent(folder() + ": no kernel was confirmed yet");
  auto reader = StepReader::prepare(
      database,
      "WHERE o.candidate = ?1 "
      "ORDER BY o.kind = 'confirmed' DESC, o.sequence DESC LIMIT 1");
  if (!reader) return error_of(reader);
  reader->query().bind(1, *id);
  auto step = reader->next();
  if (!step) return damaged(folder(), step);
  if (*step) return std::move(**step);
  return failed(folder() + "/run.db: the best, candidate " +
                std::to_string(*id) + ", is missing");
}

Result<RunSummary> RunStore::summary() const {
  RunSummary summary;
  Database& database = implementation_->database;
  const ReadSnapshot snapshot(database);
  auto counts =
      database.prepare("SELECT kind, count(*) FROM outcomes GROUP BY kind");
  if (!counts) return error_of(counts);
  for (;;) {
    const auto row = counts->step();
    if (!row) return damaged(folder(), row);
    if (!*row) break;
    const auto kind = parse_outcome_kind(counts->text(0));
    if (!kind) return damaged(folder(), kind);
    summary.counts[static_cast<std::size_t>(*kind)] = counts->integer(1);
    summary.steps += counts->integer(1);
  }
  auto last = database.prepare(
      "SELECT elapsed_s FROM outcomes ORDER BY sequence DESC LIMIT 1");
  if (!last) return error_of(last);
  const auto row = last->step();
  if (!row) return damaged(folder(), row);
  if (*row) summary.elapsed_s = last->real(0);
  const auto best_step = best();
  if (best_step) summary.best = best_step->candidate.id;
  if (!best_step && best_step.error().kind != ErrorKind::absent) {
    return error_of(best_step);
  }
  summary.finished = fact("finished").has_value();
  summary.writer_pid = RunLock::holder(folder()).value_or(0);
  return summary;
}

Result<std::string> latest_run(const std::string& folder) {
  std::error_code error;
  std::string latest;
  fs::file_time_type when;
  // Steps go to the log first; the database itself is written now and then.
  const auto consider = [&](const fs::path& run) {
    for (const char* name : {"run.db", "run.db-wal"}) {
      std::error_code ignored;
      if (!fs::exists(run / "run.db", ignored)) return;
      const auto written = fs::last_write_time(run / name, ignored);
      if (ignored || (!latest.empty() && written <= when)) continue;
      latest = run.string();
      when = written;
    }
  };
  consider(folder);
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    consider(entry.path());
  }
  if (error) return failed(folder + ": " + error.message());
  if (!latest.empty()) return latest;
  return absent(folder + ": no run in it; name a run directory");
}

}  // namespace evoke
