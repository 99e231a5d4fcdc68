// The texts that prompts are made of: built in, and each one replaced by a
// file of the same name in the user's folder. Syntax: prompt_template.h.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::llm {

class PromptFiles {
 public:
  // The built-in ones.
  PromptFiles();
  // Those in `folder` ("improve.txt") take the place of built-in ones. A file
  // that none is called like, and one that does not parse, is an error.
  static Result<PromptFiles> with_folder(const std::string& folder);
  // "answer", "improve", ... of all that are built in.
  static std::vector<std::string> names();

  const std::string& text(std::string_view name) const;
  // Where `name` comes from, for errors: a path, or "built-in prompt NAME".
  const std::string& path(std::string_view name) const;
  // Writes the built-in ones into `folder`, to be edited.
  static Result<void> write_to(const std::string& folder);

 private:
  struct File {
    std::string path;
    std::string text;
  };
  std::map<std::string, File, std::less<>> files_;
};

}  // namespace evoke::llm
