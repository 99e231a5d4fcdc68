#include "evoke/core/reserved_words.h"

#include <algorithm>
#include <array>

namespace evoke {
namespace {

constexpr std::string_view kReserved[] = {
    // C++20, with the alternative tokens.
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor",
    "bool", "break", "case", "catch", "char", "char8_t", "char16_t", "char32_t",
    "class", "compl", "concept", "const", "consteval", "constexpr", "constinit",
    "const_cast", "continue", "co_await", "co_return", "co_yield", "decltype",
    "default", "delete", "do", "double", "dynamic_cast", "else", "enum",
    "explicit", "export", "extern", "false", "float", "for", "friend", "goto",
    "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept",
    "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private",
    "protected", "public", "register", "reinterpret_cast", "requires", "return",
    "short", "signed", "sizeof", "static", "static_assert", "static_cast",
    "struct", "switch", "template", "this", "thread_local", "throw", "true",
    "try", "typedef", "typeid", "typename", "union", "unsigned", "using",
    "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
    // The dialects and the prelude.
    "bfloat", "bfloat16", "bfloat16_t", "constant", "device", "float16",
    "float16_t", "half", "kernel", "KERNEL", "thread", "threadgroup", "std",
    "metal", "threadgroup_position_in_grid", "threadgroups_per_grid",
    "threadgroup_memory", "thread_position_in_grid",
    "thread_position_in_threadgroup", "threads_per_threadgroup",
    "thread_index_in_simdgroup", "simdgroup_index_in_threadgroup", "main",
    "NULL", "INFINITY", "NAN", "errno", "assert"};

constexpr std::string_view kFunctions[] = {"min", "max", "ceil_div",
                                           "align_up"};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

bool is_reserved_word(std::string_view word) {
  return std::find(std::begin(kReserved), std::end(kReserved), word) !=
         std::end(kReserved);
}

bool is_expression_function(std::string_view word) {
  return std::find(std::begin(kFunctions), std::end(kFunctions), word) !=
         std::end(kFunctions);
}

bool is_identifier(std::string_view word) {
  return !word.empty() && is_letter(word[0]) &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return is_letter(c) || (c >= '0' && c <= '9');
         });
}

}  // namespace evoke
