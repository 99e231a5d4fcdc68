#include "evoke/store/sqlite.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace evoke {
namespace {

constexpr int kBusyTimeoutMs = 5000;

bool means_no_space(sqlite3* database) {
  const int code = sqlite3_extended_errcode(database) & 0xff;
  if (code == SQLITE_FULL) return true;
  const int system = sqlite3_system_errno(database);
  return (code == SQLITE_IOERR || code == SQLITE_CANTOPEN) &&
         (system == ENOSPC || system == EDQUOT);
}

std::string describe(sqlite3* database) {
  if (!database) return "out of memory";
  if (means_no_space(database)) return "no space left";
  const int code = sqlite3_extended_errcode(database) & 0xff;
  switch (code) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return "not an intact SQLite database";
    case SQLITE_BUSY:
      return "another process has locked it";
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_READONLY: {
      const int system = sqlite3_system_errno(database);
      std::string text = sqlite3_errmsg(database);
      if (system != 0) text += std::string(": ") + std::strerror(system);
      return text;
    }
    default:
      return sqlite3_errmsg(database);
  }
}

// A file name as a URI, for SQLite's options that exist only there.
std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      static constexpr char kDigits[] = "0123456789ABCDEF";
      uri += '%';
      uri += kDigits[static_cast<unsigned char>(c) >> 4];
      uri += kDigits[static_cast<unsigned char>(c) & 15];
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)),
      bind_error_(other.bind_error_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  std::swap(bind_error_, other.bind_error_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int index, int64_t value) {
  bind_error_ |= sqlite3_bind_int64(statement_, index, value);
  return *this;
}
Statement& Statement::bind(int index, double value) {
  bind_error_ |= sqlite3_bind_double(statement_, index, value);
  return *this;
}
Statement& Statement::bind(int index, std::string_view value) {
  bind_error_ |= sqlite3_bind_text64(statement_, index, value.data(),
                                     value.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind_null(int index) {
  bind_error_ |= sqlite3_bind_null(statement_, index);
  return *this;
}

Result<bool> Statement::step() {
  if (bind_error_ != SQLITE_OK) {
    return failed(std::string("bind: ") + sqlite3_errstr(bind_error_));
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  const std::string why =
      code == SQLITE_DONE ? "" : describe(sqlite3_db_handle(statement_));
  reset();
  if (code != SQLITE_DONE) return failed(why);
  return false;
}

Result<void> Statement::run() {
  const auto stepped = step();
  if (!stepped) return error_of(stepped);
  if (*stepped) reset();
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bind_error_ = SQLITE_OK;
}

int64_t Statement::rows_changed() const {
  return sqlite3_changes(sqlite3_db_handle(statement_));
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(statement_, column);
}
std::string Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_, column);
  if (!bytes) return {};
  return std::string(
      reinterpret_cast<const char*>(bytes),
      static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Result<Database> Database::open(const std::string& path, Mode mode) {
  struct stat status{};
  if (mode != Mode::create && ::stat(path.c_str(), &status) != 0) {
    return absent(path + ": no such file");
  }
  Database database;
  database.path_ = path;
  int flags = SQLITE_OPEN_READWRITE;
  if (mode == Mode::create) flags |= SQLITE_OPEN_CREATE;
  if (mode == Mode::read) flags = SQLITE_OPEN_READONLY;
  if (mode == Mode::frozen) flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  const std::string name = mode == Mode::frozen ? uri_of(path) : path;
  if (sqlite3_open_v2(name.c_str(), &database.database_, flags, nullptr) !=
      SQLITE_OK) {
    return failed(path + ": " + describe(database.database_));
  }
  sqlite3_extended_result_codes(database.database_, 1);
  sqlite3_busy_timeout(database.database_, kBusyTimeoutMs);
  return database;
}

Database::Database(Database&& other) noexcept
    : path_(std::move(other.path_)),
      database_(std::exchange(other.database_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(database_, other.database_);
  return *this;
}

Database::~Database() { sqlite3_close_v2(database_); }

Result<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) !=
      SQLITE_OK) {
    return failed(path_ + ": " + describe(database_));
  }
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  Statement statement;
  if (sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement.statement_,
                         nullptr) != SQLITE_OK) {
    return failed(path_ + ": " + describe(database_));
  }
  return statement;
}

Result<int64_t> Database::number(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return error_of(statement);
  const auto row = statement->step();
  if (!row) return failed(path_ + ": " + row.error().message);
  return *row ? statement->integer(0) : 0;
}

bool Database::out_of_space() const { return means_no_space(database_); }

std::string Database::error_text() const { return describe(database_); }

}  // namespace evoke
