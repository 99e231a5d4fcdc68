// The tree of an expression, shared by its parser and its evaluator. Private
// to expression*.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/expression.h"

namespace evoke {

enum class ExpressionOp {
  literal,
  name,
  negate,
  logical_not,
  add,
  subtract,
  multiply,
  divide,
  modulo,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  logical_and,
  logical_or,
  conditional,
  min,
  max,
  ceil_div,
  align_up
};

// As it is written: "+", "ceil_div".
std::string_view symbol_of(ExpressionOp op);

struct Expression::Node {
  using Pointer = std::shared_ptr<const Node>;
  ExpressionOp op = ExpressionOp::literal;
  int depth = 1;  // of the tree below and with this node
  int64_t value = 0;
  std::string name;
  std::vector<Pointer> operands;
};

struct ParsedExpression {
  std::shared_ptr<const Expression::Node> root;
  std::set<std::string, std::less<>> names;
};
Result<ParsedExpression> parse_expression(std::string_view text);

}  // namespace evoke
