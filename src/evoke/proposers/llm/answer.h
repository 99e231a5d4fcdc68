// What a model's answer says: its idea, and either SEARCH/REPLACE blocks or a
// whole kernel file. Models wrap both in prose and fences, or forget them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::llm {

// Lines without their ends; trailing blanks are gone.
struct SearchReplace {
  std::vector<std::string> search;
  std::vector<std::string> replace;
};

struct Answer {
  std::string idea;                     // one line; empty: none was named
  std::vector<std::string> strategies;  // "split-kv"; at most three
  std::vector<SearchReplace> blocks;    // in order; or
  std::vector<std::string> file;        // the lines of a kernel file
  // Whether a fence closes the file; otherwise prose may follow.
  bool file_is_closed = false;
};

// Errors are one line for the model: no kernel file, blocks that do not end,
// several files, blocks and a file at once.
Result<Answer> read_answer(std::string_view text);

// Lines of `text` by LF, CR LF or CR, without trailing blanks.
std::vector<std::string> lines_of(std::string_view text);

}  // namespace evoke::llm
