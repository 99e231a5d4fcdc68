#include "evoke/devices/metal/host/lints.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "evoke/devices/metal/host/source_text.h"
#include "evoke/devices/metal/host/threadgroup_variables.h"

namespace evoke::metal::host {
namespace {

using Kind = TextToken::Kind;

// MSL, section 1.5.4: what of C++ Metal does not have.
constexpr std::array<std::string_view, 14> kNotInMetal{
    "new",     "goto",         "throw",    "try",     "catch",
    "virtual", "dynamic_cast", "typeid",   "asm",     "thread_local",
    "wchar_t", "noexcept",     "co_await", "co_yield"};

constexpr std::array<std::string_view, 6> kAddressSpaces{
    "device",  "constant", "threadgroup", "thread", "threadgroup_imageblock",
    "ray_data"};
constexpr std::array<std::string_view, 9> kBesideTypes{
    "const",  "volatile", "constexpr", "static",  "unsigned",
    "signed", "metal",    "::",        "typename"};

constexpr std::array<std::string_view, 31> kScalars{"bool",
                                                    "char",
                                                    "uchar",
                                                    "short",
                                                    "ushort",
                                                    "int",
                                                    "uint",
                                                    "long",
                                                    "ulong",
                                                    "half",
                                                    "float",
                                                    "bfloat",
                                                    "void",
                                                    "int8_t",
                                                    "uint8_t",
                                                    "int16_t",
                                                    "uint16_t",
                                                    "int32_t",
                                                    "uint32_t",
                                                    "int64_t",
                                                    "uint64_t",
                                                    "size_t",
                                                    "bfloat16_t",
                                                    "float16_t",
                                                    "unsigned",
                                                    "atomic_int",
                                                    "atomic_uint",
                                                    "atomic_float",
                                                    "atomic_bool",
                                                    "ptrdiff_t",
                                                    "simdgroup_float8x8"};

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

class Linter {
 public:
  Linter(std::string_view text, std::size_t body_offset, MetalVersion version)
      : text_(text),
        body_offset_(body_offset),
        version_(version),
        tokens_(text_tokens(text)) {}

  std::vector<Lint> run() {
    collect_types();
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].in_directive) continue;
      check_word(i);
      check_pointer(i);
      check_lambda(i);
    }
    check_threadgroup_variables();
    check_program_scope();
    check_execution_width();
    check_recursion();
    std::stable_sort(
        lints_.begin(), lints_.end(),
        [](const Lint& a, const Lint& b) { return a.line < b.line; });
    return std::move(lints_);
  }

 private:
  std::string_view at(std::size_t i) const {
    return i < tokens_.size() ? tokens_[i].text : std::string_view();
  }
  void add(std::size_t i, std::string message) {
    lints_.push_back({tokens_[i].line, std::move(message)});
  }

  void check_word(std::size_t i) {
    const std::string_view word = at(i);
    if (tokens_[i].kind != Kind::word) return;
    if (word == "double" || (word.starts_with("double") && word.size() == 7)) {
      add(i, "'double' is not supported in Metal; use float");
    } else if (word == "long" &&
               (at(i + 1) == "long" || at(i + 1) == "double")) {
      add(i, fmt::format("'long {}' is not supported in Metal", at(i + 1)));
    } else if (holds(kNotInMetal, word)) {
      add(i, fmt::format("'{}' is not supported in Metal", word));
    } else if (is_matrix(word)) {
      add(i, fmt::format("'{}': this host reads no matrices of Metal's; use an "
                         "array of vectors, or simdgroup_matrix",
                         word));
    } else if (word == "delete" && (i == 0 || at(i - 1) != "=")) {
      add(i, "'delete' is not supported in Metal");
    } else if (word == "std" && at(i + 1) == "::") {
      add(i,
          "use of undeclared identifier 'std'; Metal's library is in the "
          "namespace metal");
    } else if (word.starts_with("__") && !word.starts_with("__METAL") &&
               word != "__FAST_MATH__" && word != "__LINE__") {
      add(i, fmt::format("'{}': names that begin with two underscores belong "
                         "to the compiler",
                         word));
    } else if (word == "static" && is_inside_function(i) &&
               !statement_has(i, "constant") &&
               !statement_has(i, "constexpr")) {
      add(i, "static variables of functions must be constant in Metal");
    }
  }

  // float4x4, half2x3
  static bool is_matrix(std::string_view word) {
    for (const std::string_view element : {"float", "half"}) {
      if (!word.starts_with(element)) continue;
      const std::string_view size = word.substr(element.size());
      const auto in_range = [](char c) { return c >= '2' && c <= '4'; };
      if (size.size() == 3 && in_range(size[0]) && size[1] == 'x' &&
          in_range(size[2])) {
        return true;
      }
    }
    return false;
  }

  // Names of types that the text declares.
  void collect_types() {
    for (std::size_t i = 0; i + 1 < tokens_.size(); ++i) {
      const std::string_view word = at(i);
      if ((word == "typename" || word == "class" || word == "struct" ||
           word == "union") &&
          tokens_[i + 1].kind == Kind::word) {
        types_.insert(std::string(at(i + 1)));
      }
      if (word == "using" && at(i + 2) == "=") {
        types_.insert(std::string(at(i + 1)));
      }
    }
  }

  bool is_type(std::string_view word) const {
    if (holds(kScalars, word) || types_.contains(std::string(word))) {
      return true;
    }
    // float4, packed_half3
    if (word.size() < 2 || word.back() < '2' || word.back() > '4') return false;
    std::string_view stem = word.substr(0, word.size() - 1);
    if (stem.starts_with("packed_")) stem.remove_prefix(7);
    return holds(kScalars, stem) && stem != "void";
  }

  // Every pointer and reference names the memory it points to.
  void check_pointer(std::size_t i) {
    if (tokens_[i].kind != Kind::word) return;
    std::size_t after = i + 1;
    if (at(i) == "vec" && at(after) == "<") {
      int depth = 0;
      do {
        if (at(after) == "<") ++depth;
        if (at(after) == ">") --depth;
        ++after;
      } while (depth > 0 && after < tokens_.size());
    } else if (!is_type(at(i))) {
      return;
    }
    bool qualified = false;
    while (at(after) == "const" || at(after) == "volatile" ||
           holds(kAddressSpaces, at(after))) {
      qualified |= holds(kAddressSpaces, at(after));
      ++after;
    }
    const bool pointer = at(after) == "*";
    const bool reference = at(after) == "&" && at(after + 1) != "&";
    if (!pointer && !reference) return;
    for (std::size_t j = i; j-- > 0;) {
      if (holds(kAddressSpaces, at(j))) qualified = true;
      if (!holds(kBesideTypes, at(j)) && !holds(kAddressSpaces, at(j))) break;
    }
    if (qualified) return;
    add(i, fmt::format("{} type must have explicit address space qualifier; "
                       "write 'device', 'threadgroup', 'constant' or 'thread' "
                       "before '{}'",
                       pointer ? "pointer" : "reference", at(i)));
  }

  // [...] (...) { or [...] { where a value may stand.
  void check_lambda(std::size_t i) {
    if (version_ != MetalVersion::v3_1 || at(i) != "[" || i == 0 ||
        at(i - 1) == "[" || at(i + 1) == "[") {
      return;
    }
    const std::string_view before = at(i - 1);
    if (before != "=" && before != "(" && before != "," && before != "return" &&
        before != "{" && before != ";") {
      return;
    }
    std::size_t close = i;
    while (close < tokens_.size() && at(close) != "]") ++close;
    if (at(close + 1) != "(" && at(close + 1) != "{") return;
    add(i,
        "lambda expressions are not supported in Metal before version 3.2; "
        "write a function");
  }

  void check_threadgroup_variables() {
    for (const auto& declaration : threadgroup_declarations(text_, tokens_)) {
      if (declaration.begin < body_offset_) {
        lints_.push_back(
            {declaration.line,
             "variables in threadgroup memory can be declared only inside a "
             "kernel function; declare it in the body and pass a pointer"});
      }
      for (const auto& variable : declaration.variables) {
        if (!variable.initialised) continue;
        lints_.push_back(
            {declaration.line,
             fmt::format("initializers are not supported for variables in "
                         "threadgroup memory ('{}'); let threads write it, "
                         "then threadgroup_barrier",
                         variable.name)});
      }
    }
  }

  // Brace depth, and what opened each brace: only as far as scopes go.
  bool is_inside_function(std::size_t i) const {
    std::vector<char> scopes;
    for (std::size_t j = 0; j < i; ++j) {
      if (tokens_[j].in_directive) continue;
      if (at(j) == "{") scopes.push_back(opens_function(j) ? 'f' : 's');
      if (at(j) == "}" && !scopes.empty()) scopes.pop_back();
    }
    return std::find(scopes.begin(), scopes.end(), 'f') != scopes.end();
  }
  bool opens_function(std::size_t brace) const {
    return brace > 0 && (at(brace - 1) == ")" || at(brace - 1) == "const");
  }
  bool statement_has(std::size_t i, std::string_view word) const {
    for (std::size_t j = i; j < tokens_.size() && at(j) != ";"; ++j) {
      if (at(j) == word) return true;
    }
    return i > 0 && at(i - 1) == word;
  }

  // Variables outside of functions are in constant memory.
  void check_program_scope() {
    constexpr std::array<std::string_view, 11> kNoVariable{
        "using", "typedef",   "template",      "struct", "class",     "enum",
        "union", "namespace", "static_assert", "#",      "METAL_FUNC"};
    int depth = 0;
    bool fresh = true;  // at a statement's start
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const TextToken& token = tokens_[i];
      if (token.begin >= body_offset_) return;
      if (token.in_directive) continue;
      if (token.is("{")) ++depth;
      if (token.is("}")) --depth;
      if (depth != 0 || !fresh || token.kind != Kind::word ||
          holds(kNoVariable, token.text)) {
        fresh = token.is(";") || token.is("}");
        continue;
      }
      fresh = false;
      bool constant = false;
      for (std::size_t j = i; j < tokens_.size(); ++j) {
        constant |= at(j) == "constant";
        if (at(j) == "(" || at(j) == "{") break;  // a function
        if (at(j) != ";" && at(j) != "=") continue;
        if (!constant) {
          add(i,
              "program scope variable must reside in constant address "
              "space; write 'constant' before its type");
        }
        break;
      }
    }
  }

  // MLX adds an attribute for each of these that the body names anywhere.
  void check_execution_width() {
    const std::string_view body = text_.substr(body_offset_);
    if (body.find("thread_execution_width") == body.npos ||
        body.find("threads_per_simdgroup") == body.npos) {
      return;
    }
    lints_.push_back(
        {0,
         "kernel function cannot have input declarations with "
         "'thread_execution_width' and 'threads_per_simdgroup' attributes; "
         "MLX declares both when the body names both, even in a comment"});
  }

  // A function of the header that calls itself; overloads are left alone.
  void check_recursion() {
    std::map<std::string, int> definitions;
    std::vector<std::pair<std::string, std::size_t>> bodies;
    int depth = 0;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].begin >= body_offset_) break;
      if (at(i) == "}") --depth;
      if (at(i) == "{") {
        if (depth == 0 && i > 0 && at(i - 1) == ")") {
          std::size_t open = i - 1;
          for (int inner = 0; open > 0; --open) {
            if (at(open) == ")") ++inner;
            if (at(open) == "(" && --inner == 0) break;
          }
          const std::string name(open > 0 ? at(open - 1) : "");
          ++definitions[name];
          bodies.emplace_back(name, i);
        }
        ++depth;
      }
    }
    for (const auto& [name, begin] : bodies) {
      if (definitions[name] != 1) continue;
      int inner = 0;
      for (std::size_t i = begin; i < tokens_.size(); ++i) {
        if (at(i) == "{") ++inner;
        if (at(i) == "}" && --inner == 0) break;
        if (at(i) == name && at(i + 1) == "(" && at(i - 1) != "." &&
            at(i - 1) != "::") {
          add(i, fmt::format("recursive call to '{}' is not supported in Metal",
                             name));
          break;
        }
      }
    }
  }

  std::string_view text_;
  std::size_t body_offset_;
  MetalVersion version_;
  std::vector<TextToken> tokens_;
  std::set<std::string> types_;
  std::vector<Lint> lints_;
};

}  // namespace

std::string_view to_string(MetalVersion version) {
  switch (version) {
    case MetalVersion::v3_1:
      return "3.1";
    case MetalVersion::v3_2:
      return "3.2";
    case MetalVersion::v4_0:
      return "4.0";
  }
  return "";
}

bool casts_to_pointers(std::string_view text) {
  const auto tokens = text_tokens(text);
  for (std::size_t i = 0; i + 2 < tokens.size(); ++i) {
    if (tokens[i].is("reinterpret_cast")) return true;
    // "(device float*)x", not the last parameter of a function.
    if (tokens[i].is("*") && tokens[i + 1].is(")") && !tokens[i + 2].is("{") &&
        !tokens[i + 2].is(";")) {
      return true;
    }
  }
  return false;
}

std::optional<MetalVersion> parse_metal_version(std::string_view text) {
  for (const MetalVersion version :
       {MetalVersion::v3_1, MetalVersion::v3_2, MetalVersion::v4_0}) {
    if (text == to_string(version)) return version;
  }
  return std::nullopt;
}

std::vector<Lint> lint(std::string_view text, std::size_t body_offset,
                       MetalVersion version) {
  return Linter(text, body_offset, version).run();
}

}  // namespace evoke::metal::host
