// Finding and opening the run that a command is about.
#pragma once

#include <memory>
#include <string>

#include "evoke/store/run_store.h"

namespace evoke::cli {

// An empty name: the latest run in the current folder. Throws StartupError.
std::unique_ptr<RunStore> open_run(const std::string& name);

}  // namespace evoke::cli
