#include "evoke/core/toml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evoke/base/spelling.h"
#include "evoke/base/utf8.h"

namespace evoke {
namespace {

// Every dot of a key may open one more table inside another, and toml++
// destroys tables recursively. No document of ours needs this many.
constexpr std::size_t kMaxDots = 512;

// Counts dots outside strings and comments.
std::size_t count_dots(std::string_view text) {
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.') {
      ++dots;
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '\'') {
      const std::string triple(3, c);
      const bool many_lines = text.substr(at).starts_with(triple);
      const std::string_view closing =
          many_lines ? std::string_view(triple) : text.substr(at, 1);
      for (at += closing.size(); at < text.size(); ++at) {
        if (text.substr(at).starts_with(closing)) break;
        if (text[at] == '\n' && !many_lines) break;
        if (text[at] == '\\' && c == '"') ++at;
      }
      at += closing.size() - 1;
    }
  }
  return dots;
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

std::string expected(std::string_view wanted, const toml::node& node) {
  return fmt::format("expected {}, found {}", wanted, kind_of(node));
}

}  // namespace

void TomlErrors::add(int line, std::string_view key, std::string_view what) {
  if (error_) return;
  error_ = one_line(key.empty()
                        ? fmt::format("{}:{}: {}", path_, line, what)
                        : fmt::format("{}:{}: {}: {}", path_, line, key, what));
}

std::optional<toml::table> parse_toml(std::string_view text, TomlErrors& errors,
                                      int first_line) {
  if (count_dots(text) > kMaxDots) {
    errors.add(first_line, "",
               fmt::format("more than {} dots in keys; nest less", kMaxDots));
    return std::nullopt;
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const int line =
        first_line - 1 + static_cast<int>(error.source().begin.line);
    errors.add(line, "", fmt::format("TOML: {}", error.description()));
    return std::nullopt;
  }
}

std::string toml_quoted(std::string_view text) {
  std::string quoted = "\"";
  char previous = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted.push_back('\\');
      quoted.push_back(c);
    } else if (c == '\n') {
      quoted.append("\\n");
    } else if (c == '\t') {
      quoted.append("\\t");
    } else if (byte < 0x20 || byte == 0x7f || (c == '/' && previous == '*')) {
      quoted.append(fmt::format("\\u{:04X}", byte));
    } else {
      quoted.push_back(c);
    }
    previous = c;
  }
  quoted.push_back('"');
  return quoted;
}

std::string toml_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text.append(".0");
  return text;
}

void TomlTable::fail(std::string_view key, std::string_view what) {
  const toml::node* node = table_.get(key);
  errors_.add(node ? errors_.line_of(*node) : line(), path_of(key), what);
}

void TomlTable::fail(const toml::node& node, std::string_view key,
                     std::string_view what) {
  errors_.add(errors_.line_of(node), path_of(key), what);
}

const toml::node* TomlTable::find(std::string_view key) {
  known_.emplace_back(key);
  return table_.get(key);
}

const toml::node* TomlTable::require(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) fail(key, "missing");
  return node;
}

const toml::table* TomlTable::find_table(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return nullptr;
  if (!node->is_table()) fail(key, expected("a table", *node));
  return node->as_table();
}

std::vector<const toml::table*> TomlTable::find_tables(std::string_view key) {
  std::vector<const toml::table*> tables;
  const toml::node* node = find(key);
  if (!node) return tables;
  const toml::array* array = node->as_array();
  if (!array) {
    fail(key, fmt::format("expected an array of tables: write [[{}]]",
                          path_of(key)));
    return tables;
  }
  for (const toml::node& element : *array) {
    if (!element.is_table()) {
      fail(element, key, expected("a table", element));
      break;
    }
    tables.push_back(element.as_table());
  }
  return tables;
}

bool TomlTable::read(std::string_view key, std::string& value) {
  const toml::node* node = find(key);
  if (!node) return false;
  const auto* text = node->as_string();
  if (!text) {
    fail(key, expected("a string", *node));
    return false;
  }
  value = text->get();
  return true;
}

bool TomlTable::read(std::string_view key, bool& value) {
  const toml::node* node = find(key);
  if (!node) return false;
  const auto* boolean = node->as_boolean();
  if (!boolean) {
    fail(key, expected("true or false", *node));
    return false;
  }
  value = boolean->get();
  return true;
}

bool TomlTable::read(std::string_view key, int64_t& value, int64_t low,
                     int64_t high) {
  const toml::node* node = find(key);
  if (!node) return false;
  const auto* integer = node->as_integer();
  if (!integer) {
    fail(key, expected("an integer", *node));
    return false;
  }
  if (integer->get() < low || integer->get() > high) {
    fail(key, fmt::format("{} is outside {} to {}", integer->get(), low, high));
    return false;
  }
  value = integer->get();
  return true;
}

bool TomlTable::read(std::string_view key, int& value, int low, int high) {
  int64_t wide = value;
  if (!read(key, wide, int64_t{low}, int64_t{high})) return false;
  value = static_cast<int>(wide);
  return true;
}

bool TomlTable::read(std::string_view key, double& value, double low,
                     double high) {
  const toml::node* node = find(key);
  if (!node) return false;
  if (!node->is_number()) {
    fail(key, expected("a number", *node));
    return false;
  }
  const double number = node->is_integer()
                            ? static_cast<double>(node->as_integer()->get())
                            : node->as_floating_point()->get();
  if (!(number >= low && number <= high)) {
    fail(key, fmt::format("{} is outside {} to {}", number, low, high));
    return false;
  }
  value = number;
  return true;
}

bool TomlTable::read(std::string_view key, std::vector<std::string>& value) {
  const toml::node* node = find(key);
  if (!node) return false;
  const toml::array* array = node->as_array();
  if (!array) {
    fail(key, expected("an array of strings", *node));
    return false;
  }
  std::vector<std::string> strings;
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (!text) {
      fail(element, key, expected("a string", element));
      return false;
    }
    strings.push_back(text->get());
  }
  value = std::move(strings);
  return true;
}

void TomlTable::refuse_unknown_keys() {
  for (const auto& [key, node] : in_order()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    errors_.add(errors_.line_of(*node), path_of(key),
                "unknown key" + did_you_mean(key, known_));
    return;
  }
}

std::vector<std::pair<std::string, const toml::node*>> TomlTable::in_order()
    const {
  std::vector<std::pair<std::string, const toml::node*>> nodes;
  for (const auto& [key, node] : table_) {
    nodes.emplace_back(std::string(key.str()), &node);
  }
  const auto position = [](const toml::node* node) {
    return std::pair(node->source().begin.line, node->source().begin.column);
  };
  std::stable_sort(nodes.begin(), nodes.end(),
                   [&](const auto& a, const auto& b) {
                     return position(a.second) < position(b.second);
                   });
  return nodes;
}

}  // namespace evoke
