// The texts that prompts are made of: built in, and each one replaced by a
// file of the same name in the user's folder. Syntax: prompt_template.h.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/proposers/llm/prompt_template.h"

namespace evoke::llm {

class PromptFiles {
 public:
  // The built-in ones.
  PromptFiles();
  // Those in `folder` ("improve.txt") take the place of built-in ones. A .txt
  // file that none is called like, and one that does not parse, is an error.
  static Result<PromptFiles> with_folder(const std::string& folder);
  // "answer", "context", "improve", ... in alphabetical order.
  static std::vector<std::string> names();
  // Writes the built-in ones into `folder`, to be edited. Files that are there
  // already stay as they are and make it fail.
  static Result<void> write_to(const std::string& folder);

  // Throws std::out_of_range on a name that names() does not have.
  const PromptTemplate& at(std::string_view name) const {
    return templates_.at(std::string(name));
  }

 private:
  using Files = std::map<std::string, TemplateSource, std::less<>>;
  static Files built_in_files();
  Result<void> parse(const Files& files);
  std::map<std::string, PromptTemplate> templates_;
};

}  // namespace evoke::llm
