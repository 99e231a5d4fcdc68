// The subcommands. Each function adds one to the application and stores what
// to run; the chosen one's return value is the exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "evoke/base/error.h"
#include "evoke/cli/context.h"

namespace evoke::cli {

// The subcommand that was parsed.
using Command = std::function<int()>;

void add_evolve(CLI::App& app, Context& context, Command& chosen);
void add_verify(CLI::App& app, Context& context, Command& chosen);
void add_bench(CLI::App& app, Context& context, Command& chosen);
void add_profile(CLI::App& app, Context& context, Command& chosen);
void add_selftest(CLI::App& app, Context& context, Command& chosen);
void add_report(CLI::App& app, Context& context, Command& chosen);
void add_status(CLI::App& app, Context& context, Command& chosen);
void add_inspect(CLI::App& app, Context& context, Command& chosen);
void add_compare(CLI::App& app, Context& context, Command& chosen);
void add_export(CLI::App& app, Context& context, Command& chosen);
void add_generate(CLI::App& app, Context& context, Command& chosen);
void add_inbox(CLI::App& app, Context& context, Command& chosen);
void add_import(CLI::App& app, Context& context, Command& chosen);
void add_doctor(CLI::App& app, Context& context, Command& chosen);

// The value, or StartupError with the error's line.
template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw StartupError(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace evoke::cli
