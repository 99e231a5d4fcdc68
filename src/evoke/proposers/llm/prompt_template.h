// Texts with places to fill, in a small part of Mustache's syntax:
//
//   {{name}}              the value, as it is
//   {{#name}} {{/name}}   what stands between, if the value is not empty
//   {{> name}}            another template
//   {{! words }}          nothing
//
// A line that holds one tag of the last three kinds and nothing else
// disappears. Values are never read as templates.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::llm {

using PromptValues = std::map<std::string, std::string, std::less<>>;

struct TemplateSource {
  std::string path;  // for errors
  std::string text;
};

class PromptTemplate {
 public:
  // Another template, or null.
  using Lookup = std::function<const TemplateSource*(std::string_view name)>;

  // Errors name path and line: an unknown name, a tag or a section that does
  // not end, templates that include themselves.
  static Result<PromptTemplate> parse(
      const TemplateSource& source,
      const std::set<std::string, std::less<>>& known_names,
      const Lookup& lookup);

  // Names without a value count as empty.
  std::string fill(const PromptValues& values) const;
  const std::set<std::string, std::less<>>& names() const { return names_; }

 private:
  struct Piece {
    enum class Kind { text, value, section, end };
    Kind kind = Kind::text;
    std::string text;          // or name
    std::size_t matching = 0;  // section: the piece that ends it
  };
  class Parser;
  std::vector<Piece> pieces_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace evoke::llm
