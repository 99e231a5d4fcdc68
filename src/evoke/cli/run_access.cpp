#include "evoke/cli/run_access.h"

#include "evoke/cli/commands.h"

namespace evoke::cli {

std::unique_ptr<RunStore> open_run(const std::string& name) {
  return value_or_throw(RunStore::open_for_reading(
      name.empty() ? value_or_throw(latest_run(".")) : name));
}

}  // namespace evoke::cli
