// Expressions as Python: whole numbers throughout, && || ?: as lazy as here.
#include <string>

#include "evoke/base/expression.h"
#include "evoke/base/expression_node.h"

namespace evoke {
namespace {

std::string python_of(const Expression::Node& node);

// "a, b, "
std::string list_of(const Expression::Node& node) {
  std::string text;
  for (const auto& each : node.operands) text += python_of(*each) + ", ";
  return text;
}

// "function(a, b)"
std::string call(const std::string& function, const Expression::Node& node) {
  std::string arguments = list_of(node);
  arguments.resize(arguments.size() - 2);
  return function + "(" + arguments + ")";
}

std::string infix(const Expression::Node& node, const char* word) {
  return "(" + python_of(*node.operands[0]) + " " + word + " " +
         python_of(*node.operands[1]) + ")";
}

std::string python_of(const Expression::Node& node) {
  using Op = ExpressionOp;
  switch (node.op) {
    case Op::literal:
      return std::to_string(node.value);
    case Op::name:
      return "n[\"" + node.name + "\"]";
    case Op::negate:
      return "(-" + python_of(*node.operands[0]) + ")";
    case Op::logical_not:
      return "int(not " + python_of(*node.operands[0]) + ")";
    case Op::add:
    case Op::subtract:
    case Op::multiply:
      return infix(node, std::string(symbol_of(node.op)).c_str());
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::equal:
    case Op::not_equal:
      return "int" + infix(node, std::string(symbol_of(node.op)).c_str());
    case Op::divide:
      return call("_div", node);
    case Op::modulo:
      return call("_mod", node);
    case Op::logical_and:
      return "int(bool" + infix(node, "and") + ")";
    case Op::logical_or:
      return "int(bool" + infix(node, "or") + ")";
    case Op::conditional:
      return "(" + python_of(*node.operands[1]) + " if " +
             python_of(*node.operands[0]) + " else " +
             python_of(*node.operands[2]) + ")";
    case Op::min:
    case Op::max:
      return std::string(symbol_of(node.op)) + "((" + list_of(node) + "))";
    case Op::ceil_div:
      return call("_ceil_div", node);
    case Op::align_up:
      return "(" + call("_ceil_div", node) + " * " +
             python_of(*node.operands[1]) + ")";
  }
  return {};
}

}  // namespace

std::string Expression::to_python() const {
  return root_ ? python_of(*root_) : "0";
}

}  // namespace evoke
