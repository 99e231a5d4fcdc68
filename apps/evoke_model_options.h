// The command line of evoke_model.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "evoke/model/run_generate.h"

namespace evoke::model {

struct Options {
  GenerateRequest request;
  std::string dtype;
  std::string prompt_ids_file;
  std::string kernel;
  bool no_thinking = false;
  bool confine = false;
  bool agreement = false;
  bool json = false;
};

void add_generate(CLI::App& app, Options& options);
void add_describe(CLI::App& app, Options& options);

// A JSON list of tokens. Throws UsageError.
std::vector<int32_t> read_prompt_ids(const std::string& file);

}  // namespace evoke::model
