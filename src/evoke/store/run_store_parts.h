// What a RunStore is made of. Private to store.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "evoke/store/call_rows.h"
#include "evoke/store/run_lock.h"
#include "evoke/store/run_store.h"
#include "evoke/store/sqlite.h"
#include "evoke/store/step_rows.h"
#include "evoke/store/wal_heartbeat.h"

namespace evoke {

struct RunStore::Implementation {
  std::string folder;
  RunConfig config;
  std::optional<RunLock> lock;  // writers only, as all that follows `database`
  Database database;
  std::optional<StepWriter> writer;
  std::optional<CallWriter> call_writer;
  Statement begin;
  Statement commit;
  std::unique_ptr<WalHeartbeat> heartbeat;
  int64_t last_sequence = 0;
  bool out_of_space = false;  // why the latest transaction failed

  Result<void> begin_writing();
  // All of `body` or nothing.
  Result<void> transaction(const std::function<Result<void>()>& body);
  // The same, or StartupError that names what was not recorded.
  void record(const std::string& what,
              const std::function<Result<void>()>& body);
};

// Reads within its life see one moment of the database, however busy the
// writer is. They nest.
class ReadSnapshot {
 public:
  explicit ReadSnapshot(Database& database);
  ~ReadSnapshot();
  ReadSnapshot(const ReadSnapshot&) = delete;
  ReadSnapshot& operator=(const ReadSnapshot&) = delete;

 private:
  Database& database_;
};

}  // namespace evoke
