// Checked integer expressions, as kernel plans use them for sizes and
// conditions: "ceil_div(Lk, tile_kv)", "Lq == 1 && Lk >= 1024".
//
// Grammar (C precedence): || && == != < <= > >= + - * / % unary - ! ?: ( )
// and min max ceil_div align_up. Values are 64-bit; overflow, division by
// zero and unknown names are errors, never undefined behaviour.
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
  // Nesting deeper than this is refused, so that no input can overflow the
  // stack.
  static constexpr int kMaxDepth = 64;

  Expression() = default;  // the constant 0

  static Result<Expression> parse(std::string_view text);
  static Expression constant(int64_t value);

  Result<int64_t> evaluate(const Symbols& symbols) const;
  // Every name it uses.
  const std::set<std::string, std::less<>>& names() const { return names_; }
  // Whether `name` is compared with == or !=: such a condition fits one size
  // only (the judge refuses `when` that tests Lk so).
  bool tests_equality_of(std::string_view name) const;
  const std::string& text() const { return text_; }

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
