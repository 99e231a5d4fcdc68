#include "evoke/store/run_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "evoke/base/atomic_file.h"
#include "evoke/base/fd.h"
#include "evoke/store/run_lock.h"
#include "evoke/store/sqlite.h"
#include "evoke/store/step_rows.h"
#include "evoke/store/wal_heartbeat.h"

namespace evoke {
namespace {

namespace fs = std::filesystem;

std::string database_path(const std::string& folder) {
  return folder + "/run.db";
}

Result<void> check_version(Database& database, const std::string& folder) {
  auto statement = database.prepare("PRAGMA user_version");
  if (!statement) return error_of(statement);
  const auto row = statement->step();
  if (!row) return failed(folder + "/run.db: " + row.error().message);
  const int64_t version = statement->integer(0);
  if (version == RunStore::kSchemaVersion) return {};
  return failed(
      folder + "/run.db: format version " + std::to_string(version) +
      ", this evoke reads " + std::to_string(RunStore::kSchemaVersion) +
      (version > RunStore::kSchemaVersion ? "; use a newer evoke"
                                          : "; it is no run of evoke"));
}

}  // namespace

struct RunStore::Implementation {
  std::string folder;
  RunConfig config;
  Database database;
  std::optional<RunLock> lock;              // writers only
  std::optional<StepWriter> writer;         // writers only
  std::unique_ptr<WalHeartbeat> heartbeat;  // writers only

  Result<void> begin_writing() {
    auto done = database.execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "PRAGMA foreign_keys=ON;");
    if (!done) return done;
    auto prepared = StepWriter::prepare(database);
    if (!prepared) return error_of(prepared);
    writer = std::move(*prepared);
    heartbeat = std::make_unique<WalHeartbeat>(database_path(folder) + "-wal");
    return {};
  }
  Result<void> transaction(const std::function<Result<void>()>& body) {
    auto done = database.execute("BEGIN IMMEDIATE");
    if (done) done = body();
    if (done) done = database.execute("COMMIT");
    if (!done) {
      static_cast<void>(database.execute("ROLLBACK"));
    } else if (heartbeat) {
      heartbeat->mark();
    }
    return done;
  }
};

RunStore::RunStore(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

RunStore::~RunStore() = default;

const std::string& RunStore::folder() const { return implementation_->folder; }
const RunConfig& RunStore::config() const { return implementation_->config; }

Result<std::unique_ptr<RunStore>> RunStore::create(const std::string& folder,
                                                   const RunConfig& config) {
  std::error_code error;
  fs::create_directories(folder + "/best", error);
  if (!error) fs::create_directories(folder + "/logs", error);
  if (error) return failed(folder + ": " + error.message());
  if (fs::exists(database_path(folder), error)) {
    return failed(folder + ": holds a run already; go on with it by --resume " +
                  folder + " or name another folder");
  }
  auto lock = RunLock::take(folder);
  if (!lock) return error_of(lock);
  auto written =
      write_file_atomically(folder + "/config.toml", to_toml(config));
  if (!written) return error_of(written);
  auto database = Database::open(database_path(folder), Database::Mode::create);
  if (!database) return error_of(database);
  auto made = std::unique_ptr<RunStore>(
      new RunStore(std::make_unique<Implementation>(Implementation{
          folder, config, std::move(*database), std::move(*lock), {}, {}})));
  Implementation& store = *made->implementation_;
  // The version comes last, in the same transaction: a half-made file is no
  // run.
  auto done = store.database.execute("PRAGMA journal_mode=WAL");
  if (done) {
    done = store.transaction([&] {
      return store.database.execute(
          std::string(kSchema) +
          "PRAGMA user_version=" + std::to_string(kSchemaVersion));
    });
  }
  if (done) done = store.begin_writing();
  if (!done) return error_of(done);
  return made;
}

Result<std::unique_ptr<RunStore>> RunStore::open(const std::string& folder,
                                                 bool writing) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) {
    return absent(folder + ": " + std::strerror(errno));
  }
  if (::stat(database_path(folder).c_str(), &status) != 0) {
    return absent(folder + ": holds no run (no run.db in it)");
  }
  std::optional<RunLock> lock;
  if (writing) {
    auto taken = RunLock::take(folder);
    if (!taken) return error_of(taken);
    lock = std::move(*taken);
  }
  auto database =
      Database::open(database_path(folder),
                     writing ? Database::Mode::write : Database::Mode::read);
  if (!database) return error_of(database);
  const auto version = check_version(*database, folder);
  if (!version) return error_of(version);
  const std::string config_path = folder + "/config.toml";
  auto config = read_run_config(config_path, RunConfig{});
  if (!config) return error_of(config);
  auto made = std::unique_ptr<RunStore>(new RunStore(
      std::make_unique<Implementation>(Implementation{folder,
                                                      std::move(*config),
                                                      std::move(*database),
                                                      std::move(lock),
                                                      {},
                                                      {}})));
  if (writing) {
    auto done = made->implementation_->begin_writing();
    if (!done) return error_of(done);
  }
  return made;
}

Result<std::unique_ptr<RunStore>> RunStore::open_for_resume(
    const std::string& folder) {
  return open(folder, true);
}

Result<std::unique_ptr<RunStore>> RunStore::open_for_reading(
    const std::string& folder) {
  return open(folder, false);
}

void RunStore::record(const Step& step) {
  const auto done = implementation_->transaction(
      [&] { return implementation_->writer->write(step); });
  if (!done) {
    throw StartupError("[RunStore::record] step " +
                       std::to_string(step.sequence) + " not recorded in " +
                       folder() + ": " + done.error().message +
                       ". Mend that and go on with --resume " + folder());
  }
}

Result<void> RunStore::set_fact(std::string_view key, const Json& value) {
  return implementation_->transaction([&]() -> Result<void> {
    auto statement = implementation_->database.prepare(
        "INSERT INTO facts VALUES (?1, ?2) "
        "ON CONFLICT(key) DO UPDATE SET value = excluded.value");
    if (!statement) return error_of(statement);
    return statement->bind(1, key).bind(2, value.dump()).run();
  });
}

Result<Json> RunStore::fact(std::string_view key) const {
  auto statement = implementation_->database.prepare(
      "SELECT value FROM facts WHERE key = ?1");
  if (!statement) return error_of(statement);
  const auto row = statement->bind(1, key).step();
  if (!row) return failed(folder() + ": " + row.error().message);
  if (!*row) return absent(folder() + ": no fact '" + std::string(key) + "'");
  const auto value = Json::parse(statement->text(0), nullptr, false);
  if (value.is_discarded()) {
    return failed(folder() + ": fact '" + std::string(key) + "' is no JSON");
  }
  return value;
}

Result<void> RunStore::each_step(
    const std::function<bool(Step&&)>& visit) const {
  auto statement = implementation_->database.prepare(
      std::string("SELECT ") + kStepColumns +
      " FROM steps s JOIN candidates c ON c.id = s.candidate "
      "ORDER BY s.sequence");
  if (!statement) return error_of(statement);
  for (;;) {
    const auto row = statement->step();
    if (!row) return failed(folder() + ": " + row.error().message);
    if (!*row) return {};
    auto step = read_step(*statement);
    if (!step) return failed(folder() + ": " + step.error().message);
    if (!visit(std::move(*step))) return {};
  }
}

Result<Step> RunStore::step_of(CandidateId candidate) const {
  auto statement = implementation_->database.prepare(
      std::string("SELECT ") + kStepColumns +
      " FROM steps s JOIN candidates c ON c.id = s.candidate "
      "WHERE c.id = ?1 ORDER BY s.fitness IS NOT NULL DESC, s.sequence DESC "
      "LIMIT 1");
  if (!statement) return error_of(statement);
  const auto row = statement->bind(1, candidate).step();
  if (!row) return failed(folder() + ": " + row.error().message);
  if (!*row) {
    return absent(folder() + ": no candidate " + std::to_string(candidate) +
                  "; evoke status lists what there is");
  }
  return read_step(*statement);
}

Result<RunSummary> RunStore::summary() const {
  RunSummary summary;
  Database& database = implementation_->database;
  auto counts = database.prepare("SELECT kind, count(*) FROM steps GROUP BY 1");
  if (!counts) return error_of(counts);
  for (auto row = counts->step(); row && *row; row = counts->step()) {
    const auto kind = parse_outcome_kind(counts->text(0));
    if (!kind) return failed(folder() + ": " + kind.error().message);
    summary.counts[static_cast<std::size_t>(*kind)] = counts->integer(1);
    summary.steps += counts->integer(1);
  }
  auto last = database.prepare("SELECT coalesce(max(elapsed_s), 0) FROM steps");
  if (!last) return error_of(last);
  if (const auto row = last->step(); row && *row) {
    summary.elapsed_s = last->real(0);
  }
  if (const auto best = fact("best")) {
    summary.best = best->value("candidate", CandidateId{0});
  }
  summary.finished = fact("finished").has_value();
  return summary;
}

Result<void> RunStore::write_best(const Step& step, std::string_view extension,
                                  const std::string& table_markdown) {
  const std::string best = folder() + "/best/";
  const Json info = {{"candidate", step.candidate.id},
                     {"genome_hash", step.candidate.genome_hash},
                     {"sequence", step.sequence},
                     {"summary", step.candidate.summary},
                     {"parents", step.candidate.parents},
                     {"outcome", to_json(step.outcome)}};
  auto done = write_file_atomically(best + "kernel" + std::string(extension),
                                    step.candidate.text);
  if (done) done = write_file_atomically(best + "info.json", info.dump(2));
  if (done) done = write_file_atomically(best + "table.md", table_markdown);
  if (done)
    done = set_fact("best", {{"candidate", step.candidate.id},
                             {"sequence", step.sequence}});
  return done;
}

Result<std::string> latest_run(const std::string& folder) {
  std::error_code error;
  std::string latest;
  fs::file_time_type when;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    const auto written = fs::last_write_time(entry.path() / "run.db", ignored);
    if (ignored) continue;
    if (latest.empty() || written > when) {
      latest = entry.path().string();
      when = written;
    }
  }
  if (error) return failed(folder + ": " + error.message());
  if (latest.empty()) {
    return absent(folder + ": no run here; name a run directory");
  }
  return latest;
}

}  // namespace evoke
