// A whole run as JSON, for programs that have no SQLite.
#pragma once

#include <ostream>

#include "evoke/base/error.h"
#include "evoke/store/run_store.h"

namespace evoke {

// JSON lines: first {"format": "evoke run", "version": 1, "facts": {...},
// "config": "<config.toml>"}, then one step per line (step_json.h), in order.
Result<void> export_run(const RunStore& store, std::ostream& out);

}  // namespace evoke
