// SQLite's C API with owners and one-line errors. Nothing outside this room
// includes it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke {

class Database;

// A prepared statement. Parameters are numbered from 1, columns from 0.
// Bound texts must outlive the step() that uses them.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  Statement& bind(int index, int64_t value);
  Statement& bind(int index, int value) {
    return bind(index, static_cast<int64_t>(value));
  }
  Statement& bind(int index, double value);
  Statement& bind(int index, std::string_view value);
  Statement& bind_null(int index);

  // true: a row is there; false: done, and the statement can be used again.
  Result<bool> step();
  // One step of a statement that gives no row.
  Result<void> run();
  void reset();
  // By the latest INSERT, UPDATE or DELETE of the same database.
  int64_t rows_changed() const;

  int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  sqlite3_stmt* statement_ = nullptr;
  int bind_error_ = SQLITE_OK;
};

class Database {
 public:
  // frozen: a file that nobody can be writing to, read without a lock and
  // without its log: what a read-only disk asks for.
  enum class Mode { create, write, read, frozen };
  // `absent`: no such file (unless created).
  static Result<Database> open(const std::string& path, Mode mode);

  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  // The one number that a PRAGMA or an aggregate gives.
  Result<int64_t> number(std::string_view sql);
  // What the latest failure means, in words fit for a person.
  std::string error_text() const;
  // Whether it was for want of space on the disk.
  bool out_of_space() const;
  const std::string& path() const { return path_; }

 private:
  Database() = default;
  std::string path_;
  sqlite3* database_ = nullptr;
};

}  // namespace evoke
