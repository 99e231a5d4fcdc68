// Checked integer expressions, as kernel plans use them for sizes and
// conditions: "ceil_div(Lk, tile_kv)", "Lq == 1 && Lk >= 1024".
//
// Grammar (C precedence): || && == != < <= > >= + - * / % unary - ! ?: ( )
// and min max (one argument or more), ceil_div(a, b) and align_up(a, b) with
// b > 0. Values are 64-bit; overflow, division by zero and unknown names are
// errors, never undefined behaviour. && || ?: evaluate only what they need.
// Comparisons do not chain (a < b < c is refused).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke {

using Symbols = std::map<std::string, int64_t, std::less<>>;

class Expression {
 public:
  // Trees deeper than this are refused, so that no input can overflow the
  // stack. A chain a + b + c + ... counts one level per operator.
  static constexpr int kMaxDepth = 64;

  Expression() = default;  // the constant 0

  // Errors read "column 5: what is wrong".
  static Result<Expression> parse(std::string_view text);
  static Expression constant(int64_t value);

  Result<int64_t> evaluate(const Symbols& symbols) const;
  // Every name it uses.
  const std::set<std::string, std::less<>>& names() const { return names_; }
  // Whether anything that contains `name` is compared with == or !=, or asked
  // for being zero: such a condition can be made to fit one size only, so a
  // plan's `when` may not test Lk like that.
  bool tests_equality_of(std::string_view name) const;
  const std::string& text() const { return text_; }
  // The same in Python, over a mapping `n` of names and the functions _div and
  // _mod (towards zero) and _ceil_div.
  std::string to_python() const;

  bool operator==(const Expression& other) const {
    return text_ == other.text_;
  }

  struct Node;

 private:
  std::string text_ = "0";
  std::set<std::string, std::less<>> names_;
  std::shared_ptr<const Node> root_;  // immutable, shared by copies
};

}  // namespace evoke
