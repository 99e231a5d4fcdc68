// The tables of run.db and how a file is known to hold them. docs/run-format.md
// tells what is in them.
#pragma once

#include <string>

#include "evoke/base/error.h"
#include "evoke/store/sqlite.h"

namespace evoke {

// PRAGMA application_id ("evok") and user_version.
inline constexpr int kApplicationId = 0x65766f6b;
inline constexpr int kSchemaVersion = 2;
inline constexpr int kOldestSchemaVersion = 1;

// Inside a transaction of the caller's, on an empty database.
Result<void> create_tables(Database& database);

// The version of the format, one of those that can be read; `failed` when this
// is no run of evoke or one of another version.
Result<int> check_format(Database& database);

// Raises an older format to this one, as a whole or not at all. What was
// recorded stays as it is, checksums included.
Result<void> migrate(Database& database, int version);

}  // namespace evoke
