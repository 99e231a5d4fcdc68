// A comparison as files: results.json, results.csv, results.md and plots.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/compare/comparison.h"

namespace evoke::compare {

// Where and with what it was made; shown beside the results.
struct Conditions {
  std::string command;
  std::string machine;
  std::string started;  // UTC
  std::string model;
  std::string dtype;
  std::string device;
  std::string kernel;       // its file; empty: none
  std::string kernel_hash;  // empty: none
  std::string gate;         // what it passed
};

Json to_json(const Comparison& comparison, const Conditions& conditions);
std::string to_csv(const Comparison& comparison);
std::string to_markdown(const Comparison& comparison,
                        const Conditions& conditions);
// A table and the overall verdict, for a terminal.
std::string to_text(const Comparison& comparison, const Conditions& conditions);

// Writes all of them into the folder; gives their names.
Result<std::vector<std::string>> write_outputs(const std::string& folder,
                                               const Comparison& comparison,
                                               const Conditions& conditions);

}  // namespace evoke::compare
