// Reading TOML where every key must be known and every error names file, line
// and key. Private to rooms that parse TOML: it shows toml++ in its interface.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "evoke/base/error.h"

namespace evoke {

// The first error found in one document; later ones are not kept.
class TomlErrors {
 public:
  // `first_line`: line of the file on which the TOML text begins.
  explicit TomlErrors(std::string_view path, int first_line = 1)
      : path_(path), first_line_(first_line) {}

  // "path:line: key: what"
  void add(int line, std::string_view key, std::string_view what);
  bool any() const { return error_.has_value(); }
  tl::unexpected<Error> take() const { return failed(error_.value_or("")); }

  int line_of(const toml::node& node) const {
    return first_line_ - 1 + static_cast<int>(node.source().begin.line);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int first_line_;
  std::optional<std::string> error_;
};

// toml::parse without exceptions and with a bound on nesting, so that no text
// can overflow the stack. nullopt: the error is in `errors`.
std::optional<toml::table> parse_toml(std::string_view text, TomlErrors& errors,
                                      int first_line = 1);

// "text" as a TOML string. "*/" never appears in it, so that it can stand
// inside a C comment.
std::string toml_quoted(std::string_view text);
// A float that reads back as the same value.
std::string toml_number(double value);

// One table being read. A reader asks for the keys it knows, each with its
// kind; refuse_unknown_keys() then names what nobody asked for. A wrong kind
// is an error, and leaves the value that was there.
class TomlTable {
 public:
  // `prefix`: the key of this table with a dot, or "" for the document.
  TomlTable(const toml::table& table, std::string prefix, TomlErrors& errors)
      : table_(table), prefix_(std::move(prefix)), errors_(errors) {}

  // The value, or null; the key counts as known from now on.
  const toml::node* find(std::string_view key);
  // Like find, and a missing key is an error.
  const toml::node* require(std::string_view key);
  const toml::table* find_table(std::string_view key);
  // An array of tables; empty when the key is absent.
  std::vector<const toml::table*> find_tables(std::string_view key);

  // Each returns whether a value was read. Numbers outside [low, high] (NaN
  // too) are errors.
  bool read(std::string_view key, std::string& value);
  bool read(std::string_view key, bool& value);
  bool read(std::string_view key, int64_t& value,
            int64_t low = std::numeric_limits<int64_t>::min(),
            int64_t high = std::numeric_limits<int64_t>::max());
  bool read(std::string_view key, int& value,
            int low = std::numeric_limits<int>::min(),
            int high = std::numeric_limits<int>::max());
  bool read(std::string_view key, double& value,
            double low = std::numeric_limits<double>::lowest(),
            double high = std::numeric_limits<double>::max());
  bool read(std::string_view key, std::vector<std::string>& value);

  void refuse_unknown_keys();
  // Its keys in the order of the text.
  std::vector<std::pair<std::string, const toml::node*>> in_order() const;

  std::string path_of(std::string_view key) const {
    return prefix_ + std::string(key);
  }
  int line() const { return errors_.line_of(table_); }
  void fail(std::string_view key, std::string_view what);
  void fail(const toml::node& node, std::string_view key,
            std::string_view what);
  TomlErrors& errors() { return errors_; }

 private:
  const toml::table& table_;
  std::string prefix_;
  TomlErrors& errors_;
  std::vector<std::string> known_;
};

}  // namespace evoke
