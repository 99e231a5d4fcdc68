// Device source cut into its top-level items, as far as moving functions from
// one file to another needs it. Not a parser: what it does not understand it
// says so, and then nothing is moved.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace evoke::parameters {

using Names = std::set<std::string, std::less<>>;

struct SourceItem {
  enum class Kind {
    kernel,       // KERNEL(name) { ... }
    declaration,  // a function, type, alias or variable; or an #if with some
    nameless,     // static_assert, #include, a stray ;
  };
  Kind kind = Kind::nameless;
  Names names;            // what it declares
  std::size_t begin = 0;  // offset of its first token
  std::size_t end = 0;
  Names identifiers;   // all that stand in it
  std::string tokens;  // without blanks and comments, for comparing
};

struct SourceItems {
  std::vector<SourceItem> items;  // in the order of the text
  bool understood = true;         // false: macros, namespaces, operators, ...
};

SourceItems items_of(std::string_view code);

// Which items are reached from these kernels and from nameless items.
std::vector<bool> items_in_use(const std::vector<SourceItem>& items,
                               const Names& kernels);

// The same text with identifiers exchanged; comments and literals stay.
std::string rename_identifiers(
    std::string_view code,
    const std::map<std::string, std::string, std::less<>>& names);

}  // namespace evoke::parameters
