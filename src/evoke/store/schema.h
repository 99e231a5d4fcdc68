// The tables of run.db and how a file is known to hold them. docs/run-format.md
// tells what is in them.
#pragma once

#include <string>

#include "evoke/base/error.h"
#include "evoke/store/sqlite.h"

namespace evoke {

// PRAGMA application_id ("evok") and user_version.
inline constexpr int kApplicationId = 0x65766f6b;
inline constexpr int kSchemaVersion = 1;

// Inside a transaction of the caller's, on an empty database.
Result<void> create_tables(Database& database);

// Whether this is a run of evoke in this version of the format.
Result<void> check_format(Database& database);

}  // namespace evoke
