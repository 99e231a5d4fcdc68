#include "evoke/store/run_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "evoke/base/atomic_file.h"
#include "evoke/base/fd.h"
#include "evoke/store/best_folder.h"
#include "evoke/store/run_store_parts.h"
#include "evoke/store/schema.h"
#include "evoke/store/step_json.h"

namespace evoke {
namespace {

namespace fs = std::filesystem;

std::string database_path(const std::string& folder) {
  return folder + "/run.db";
}

constexpr const char* kSetFact =
    "INSERT INTO run VALUES (?1, ?2) "
    "ON CONFLICT(key) DO UPDATE SET value = excluded.value";

Result<void> put_fact(Database& database, std::string_view key,
                      const Json& value) {
  auto statement = database.prepare(kSetFact);
  if (!statement) return error_of(statement);
  const std::string text = dump_json(value);
  return statement->bind(1, key).bind(2, text).run();
}

// A database that is complete before it has its name.
Result<void> make_database(const std::string& folder, const Json& facts) {
  const std::string path = database_path(folder);
  const std::string partial = path + ".partial";
  std::error_code error;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    fs::remove(partial + suffix, error);
  }
  {
    auto database = Database::open(partial, Database::Mode::create);
    if (!database) return error_of(database);
    auto done = database->execute("BEGIN");
    if (done) done = create_tables(*database);
    for (const auto& [key, value] : facts.items()) {
      if (done) done = put_fact(*database, key, value);
    }
    if (done) done = database->execute("COMMIT; PRAGMA journal_mode=WAL;");
    if (!done) return done;
  }
  fs::rename(partial, path, error);
  if (error) return failed(path + ": " + error.message());
  // The new names must survive a power cut as well.
  for (const std::string& each : {folder, folder + "/.."}) {
    const Fd directory(::open(each.c_str(), O_RDONLY | O_CLOEXEC));
    if (directory.valid()) ::fsync(directory.get());
  }
  return {};
}

// Whether the database can be read as it lies, which is all that a read-only
// disk allows.
bool is_frozen(const std::string& folder) {
  struct stat log{};
  const bool no_log =
      ::stat((database_path(folder) + "-wal").c_str(), &log) != 0 ||
      log.st_size == 0;
  return no_log && ::access(folder.c_str(), W_OK) != 0;
}

}  // namespace

ReadSnapshot::ReadSnapshot(Database& database) : database_(database) {
  static_cast<void>(database_.execute("SAVEPOINT snapshot"));
}
ReadSnapshot::~ReadSnapshot() {
  static_cast<void>(database_.execute("RELEASE snapshot"));
}

Result<void> RunStore::Implementation::begin_writing() {
  // NORMAL: the log is synced by the heartbeat, and by SQLite before it is
  // folded into the database, which costs the step that triggers it two
  // syncs: once per 4,000 pages of 4 KiB and not, as by default, per 1,000.
  auto done = database.execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
      "PRAGMA wal_autocheckpoint=4000; PRAGMA foreign_keys=ON;");
  if (!done) return done;
  auto prepared = StepWriter::prepare(database);
  if (!prepared) return error_of(prepared);
  writer = std::move(*prepared);
  auto calls = CallWriter::prepare(database);
  if (!calls) return error_of(calls);
  call_writer = std::move(*calls);
  for (const auto& [statement, sql] :
       {std::pair(&begin, "BEGIN IMMEDIATE"), std::pair(&commit, "COMMIT")}) {
    auto made = database.prepare(sql);
    if (!made) return error_of(made);
    *statement = std::move(*made);
  }
  const auto last =
      database.number("SELECT coalesce(max(sequence), 0) FROM outcomes");
  if (!last) return error_of(last);
  last_sequence = *last;
  heartbeat = std::make_unique<WalHeartbeat>(database.path() + "-wal");
  return {};
}

Result<void> RunStore::Implementation::transaction(
    const std::function<Result<void>()>& body) {
  if (!writer) {
    throw UsageError("[RunStore] " + folder +
                     " was opened for reading. Use open_for_resume().");
  }
  out_of_space = false;
  auto done = heartbeat->state();
  if (!done) return done;
  done = begin.run();
  if (done) done = body();
  if (done) done = commit.run();
  if (done) {
    heartbeat->mark();
    return {};
  }
  out_of_space = database.out_of_space();
  static_cast<void>(database.execute("ROLLBACK"));
  return done;
}

RunStore::RunStore(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

RunStore::~RunStore() = default;

const std::string& RunStore::folder() const { return implementation_->folder; }
const RunConfig& RunStore::config() const { return implementation_->config; }
int64_t RunStore::last_sequence() const {
  return implementation_->last_sequence;
}

Result<std::unique_ptr<RunStore>> RunStore::create(const std::string& folder,
                                                   const RunConfig& config,
                                                   const Json& facts) {
  std::error_code error;
  for (const char* name : {"/best", "/logs"}) {
    fs::create_directories(folder + name, error);
    if (error) return failed(folder + ": " + error.message());
  }
  {
    auto lock = RunLock::take(folder);
    if (!lock) return error_of(lock);
    if (fs::exists(database_path(folder), error)) {
      return failed(folder +
                    ": holds a run already; go on with it by --resume " +
                    folder + " or name another folder");
    }
    auto done = write_file_atomically(folder + "/config.toml", to_toml(config));
    if (done) done = make_database(folder, facts);
    if (!done) return error_of(done);
  }
  return open(folder, true);
}

Result<std::unique_ptr<RunStore>> RunStore::open(const std::string& folder,
                                                 bool writing) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) {
    return absent(folder + ": " + std::strerror(errno) +
                  "; name a run directory");
  }
  if (::stat(database_path(folder).c_str(), &status) != 0) {
    return absent(folder + ": holds no run (no run.db in it)");
  }
  std::optional<RunLock> lock;
  if (writing) {
    auto taken = RunLock::take(folder);
    if (!taken) return error_of(taken);
    lock = std::move(*taken);
    remove_best_leftovers(folder);
  }
  const auto mode = writing             ? Database::Mode::write
                    : is_frozen(folder) ? Database::Mode::frozen
                                        : Database::Mode::read;
  auto database = Database::open(database_path(folder), mode);
  if (!database) return error_of(database);
  const auto format = check_format(*database);
  if (!format) return error_of(format);
  auto config = read_run_config(folder + "/config.toml", RunConfig{});
  if (!config) return error_of(config);
  auto made =
      std::make_unique<Implementation>(Implementation{folder,
                                                      std::move(*config),
                                                      std::move(lock),
                                                      std::move(*database),
                                                      {},
                                                      {},
                                                      {},
                                                      {},
                                                      {}});
  if (writing) {
    auto done = migrate(made->database, *format);
    if (done) done = made->begin_writing();
    if (!done) return error_of(done);
  } else {
    const auto last = made->database.number(
        "SELECT coalesce(max(sequence), 0) FROM outcomes");
    if (!last) return error_of(last);
    made->last_sequence = *last;
  }
  return std::unique_ptr<RunStore>(new RunStore(std::move(made)));
}

Result<std::unique_ptr<RunStore>> RunStore::open_for_resume(
    const std::string& folder) {
  return open(folder, true);
}

Result<std::unique_ptr<RunStore>> RunStore::open_for_reading(
    const std::string& folder) {
  return open(folder, false);
}

void RunStore::record(const Step& step) { record_all({}, step); }

void RunStore::record_all(const std::vector<LlmCall>& calls, const Step& step) {
  Implementation& run = *implementation_;
  if (step.sequence != run.last_sequence + 1) {
    throw UsageError("[RunStore::record] step " +
                     std::to_string(step.sequence) + " after step " +
                     std::to_string(run.last_sequence) +
                     ". Steps are recorded in order, without gaps.");
  }
  run.record("step " + std::to_string(step.sequence), [&]() -> Result<void> {
    for (const LlmCall& call : calls) {
      const auto written = run.call_writer->write(call);
      if (!written) return written;
    }
    return run.writer->write(step);
  });
  run.last_sequence = step.sequence;
}

void RunStore::record_call(const LlmCall& call) {
  Implementation& run = *implementation_;
  run.record("a call of " + call.model,
             [&] { return run.call_writer->write(call); });
}

void RunStore::Implementation::record(
    const std::string& what, const std::function<Result<void>()>& body) {
  const auto done = transaction(body);
  if (done) return;
  const std::string safe =
      " (" + what + " was not recorded; every step before it is safe)";
  if (out_of_space) {
    throw StartupError("[RunStore::record] no space left in " + folder +
                       "; free some and resume with: evoke evolve --resume " +
                       folder + safe);
  }
  throw StartupError(
      "[RunStore::record] " + folder + ": " + done.error().message +
      "; mend that and resume with: evoke evolve --resume " + folder + safe);
}

Result<void> RunStore::set_fact(std::string_view key, const Json& value) {
  return implementation_->transaction(
      [&] { return put_fact(implementation_->database, key, value); });
}

Result<void> RunStore::write_best(const Step& step, std::string_view suffix,
                                  const std::string& table_markdown) {
  const Candidate& candidate = step.candidate;
  const Json info = {{"run", fs::path(folder()).filename().string()},
                     {"sequence", step.sequence},
                     {"elapsed_s", step.elapsed_s},
                     {"candidate", candidate.id},
                     {"genome_hash", candidate.genome_hash},
                     {"parents", candidate.parents},
                     {"generation", candidate.generation},
                     {"proposer", candidate.proposer},
                     {"operation", candidate.operation},
                     {"summary", candidate.summary},
                     {"outcome", to_json(step.outcome)}};
  return replace_best_folder(folder(),
                             {{"kernel" + std::string(suffix), candidate.text},
                              {"info.json", dump_json(info, 2) + "\n"},
                              {"table.md", table_markdown}});
}

Result<void> RunStore::clear_best() {
  return replace_best_folder(folder(), {});
}

Result<void> RunStore::limit_size(int64_t bytes) {
  Database& database = implementation_->database;
  const auto page_bytes = database.number("PRAGMA page_size");
  if (!page_bytes) return error_of(page_bytes);
  return database.execute("PRAGMA max_page_count=" +
                          std::to_string(bytes / *page_bytes));
}

}  // namespace evoke
