#include "evoke/base/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "evoke/base/expression_node.h"

namespace evoke {
namespace {

using Op = ExpressionOp;
using Node = Expression::Node;
using NodePointer = Node::Pointer;

bool is_comparison(Op op) { return op >= Op::less && op <= Op::not_equal; }
bool is_equality(Op op) { return op == Op::equal || op == Op::not_equal; }

tl::unexpected<Error> overflow(Op op) {
  return failed(fmt::format("'{}' overflows 64 bits", symbol_of(op)));
}

Result<int64_t> apply(Op op, int64_t a, int64_t b) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  int64_t result = 0;
  switch (op) {
    case Op::add:
      if (__builtin_add_overflow(a, b, &result)) return overflow(op);
      return result;
    case Op::subtract:
      if (__builtin_sub_overflow(a, b, &result)) return overflow(op);
      return result;
    case Op::multiply:
      if (__builtin_mul_overflow(a, b, &result)) return overflow(op);
      return result;
    case Op::divide:
      if (b == 0) return failed("division by zero");
      if (a == kLeast && b == -1) return overflow(op);
      return a / b;
    case Op::modulo:
      if (b == 0) return failed("'%' by zero");
      return b == -1 ? 0 : a % b;
    case Op::less:
      return a < b;
    case Op::less_equal:
      return a <= b;
    case Op::greater:
      return a > b;
    case Op::greater_equal:
      return a >= b;
    case Op::equal:
      return a == b;
    case Op::not_equal:
      return a != b;
    case Op::min:
      return std::min(a, b);
    case Op::max:
      return std::max(a, b);
    case Op::ceil_div:
    case Op::align_up: {
      if (b <= 0) {
        return failed(std::string(symbol_of(op)) +
                      " needs a positive second argument, not " +
                      std::to_string(b));
      }
      const int64_t quotient = a / b + (a % b > 0 ? 1 : 0);
      if (op == Op::ceil_div) return quotient;
      if (__builtin_mul_overflow(quotient, b, &result)) return overflow(op);
      return result;
    }
    default:
      return failed("not a binary operator");
  }
}

Result<int64_t> evaluate_node(const Node& node, const Symbols& symbols) {
  if (node.op == Op::literal) return node.value;
  if (node.op == Op::name) {
    const auto found = symbols.find(node.name);
    if (found == symbols.end()) {
      return failed("unknown name '" + node.name + "'");
    }
    return found->second;
  }
  auto first = evaluate_node(*node.operands[0], symbols);
  if (!first) return first;
  switch (node.op) {
    case Op::negate: {
      int64_t result = 0;
      if (__builtin_sub_overflow(int64_t{0}, *first, &result)) {
        return overflow(node.op);
      }
      return result;
    }
    case Op::logical_not:
      return *first == 0;
    case Op::conditional:
      return evaluate_node(*node.operands[*first != 0 ? 1 : 2], symbols);
    case Op::logical_and:
    case Op::logical_or: {
      const bool decided = (*first != 0) == (node.op == Op::logical_or);
      if (decided) return *first != 0;
      const auto second = evaluate_node(*node.operands[1], symbols);
      if (!second) return second;
      return *second != 0;
    }
    default:
      break;
  }
  for (std::size_t i = 1; i < node.operands.size(); ++i) {
    const auto next = evaluate_node(*node.operands[i], symbols);
    if (!next) return next;
    first = apply(node.op, *first, *next);
    if (!first) return first;
  }
  return first;
}

bool uses(const Node& node, std::string_view name) {
  if (node.op == Op::name) return node.name == name;
  return std::any_of(
      node.operands.begin(), node.operands.end(),
      [&](const NodePointer& operand) { return uses(*operand, name); });
}

// `as_truth`: the node's value is only asked for being zero or not.
bool tests_equality(const Node& node, std::string_view name, bool as_truth) {
  if (is_equality(node.op)) return uses(node, name);
  switch (node.op) {
    case Op::logical_not:
    case Op::logical_and:
    case Op::logical_or:
      return std::any_of(node.operands.begin(), node.operands.end(),
                         [&](const NodePointer& operand) {
                           return tests_equality(*operand, name, true);
                         });
    case Op::conditional:
      return tests_equality(*node.operands[0], name, true) ||
             tests_equality(*node.operands[1], name, as_truth) ||
             tests_equality(*node.operands[2], name, as_truth);
    default:
      break;
  }
  // Arithmetic asked for being zero is an equality test in disguise.
  if (as_truth && !is_comparison(node.op)) return uses(node, name);
  return std::any_of(node.operands.begin(), node.operands.end(),
                     [&](const NodePointer& operand) {
                       return tests_equality(*operand, name, false);
                     });
}

// On one line, without blanks around it.
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string tidied(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  std::string tidy(text);
  std::replace_if(tidy.begin(), tidy.end(), is_space, ' ');
  return tidy;
}

}  // namespace

Result<Expression> Expression::parse(std::string_view text) {
  auto parsed = parse_expression(text);
  if (!parsed) return error_of(parsed);
  Expression expression;
  expression.text_ = tidied(text);
  expression.names_ = std::move(parsed->names);
  expression.root_ = std::move(parsed->root);
  return expression;
}

Expression Expression::constant(int64_t value) {
  auto node = std::make_shared<Node>();
  node->value = value;
  Expression expression;
  expression.text_ = std::to_string(value);
  expression.root_ = std::move(node);
  return expression;
}

Result<int64_t> Expression::evaluate(const Symbols& symbols) const {
  if (!root_) return 0;
  return evaluate_node(*root_, symbols);
}

bool Expression::tests_equality_of(std::string_view name) const {
  return root_ && tests_equality(*root_, name, /*as_truth=*/true);
}

}  // namespace evoke
