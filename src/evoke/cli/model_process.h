// evoke_model as a child: its options in, its JSON document out.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/cli/context.h"

namespace evoke::cli {

// The program beside this one. Throws StartupError when it is not there.
std::string model_program(const Context& context);

// Runs `evoke_model ARGUMENTS --json` to its end in this environment.
// `failed`: the last line that it said; `timed_out`: interrupted, and killed.
Result<Json> run_model(const Context& context,
                       std::vector<std::string> arguments);

}  // namespace evoke::cli
