// Text to tree: a recursive-descent parser.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "evoke/base/expression_node.h"

namespace evoke {
namespace {

using Op = ExpressionOp;
using Node = Expression::Node;
using NodePointer = Node::Pointer;

struct Function {
  std::string_view name;
  Op op;
  std::size_t least_arguments;
  std::size_t most_arguments;
};
constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();
constexpr std::array<Function, 4> kFunctions{
    {{"min", Op::min, 1, kAnyNumber},
     {"max", Op::max, 1, kAnyNumber},
     {"ceil_div", Op::ceil_div, 2, 2},
     {"align_up", Op::align_up, 2, 2}}};

const Function* find_function(std::string_view name) {
  for (const Function& function : kFunctions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

struct BinaryOperator {
  std::string_view text;
  Op op;
  int precedence;  // greater binds tighter
};
// Longer spellings first, so that "<=" is not read as "<".
constexpr std::array<BinaryOperator, 13> kBinaryOperators{
    {{"||", Op::logical_or, 1},
     {"&&", Op::logical_and, 2},
     {"==", Op::equal, 3},
     {"!=", Op::not_equal, 3},
     {"<=", Op::less_equal, 4},
     {">=", Op::greater_equal, 4},
     {"<", Op::less, 4},
     {">", Op::greater, 4},
     {"+", Op::add, 5},
     {"-", Op::subtract, 5},
     {"*", Op::multiply, 6},
     {"/", Op::divide, 6},
     {"%", Op::modulo, 6}}};

constexpr std::size_t kMaxNameBytes = 64;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_character(char c) { return is_letter(c) || is_digit(c); }

bool is_comparison(Op op) { return op >= Op::less && op <= Op::not_equal; }

// Precedence climbing. Both its recursion and the tree it makes are at most
// Expression::kMaxDepth deep, so that neither evaluating nor destroying one
// can overflow the stack.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<NodePointer> parse_all() {
    NodePointer root = parse_conditional();
    skip_space();
    if (!error_ && at_ < text_.size()) {
      fail("unexpected " + what_is_here() + " after the expression");
    }
    if (error_) return failed(*error_);
    return root;
  }
  std::set<std::string, std::less<>> take_names() { return std::move(names_); }

 private:
  // Only the first error counts; every function returns null after it.
  NodePointer fail(std::string what) { return fail_at(at_, std::move(what)); }
  NodePointer fail_at(std::size_t where, std::string what) {
    if (!error_) error_ = "column " + std::to_string(where + 1) + ": " + what;
    return nullptr;
  }
  NodePointer too_deep() {
    return fail("nested deeper than " + std::to_string(Expression::kMaxDepth) +
                " levels; split it with [derive]");
  }
  std::string what_is_here() const {
    if (at_ >= text_.size()) return "end";
    const char c = text_[at_];
    if (c >= ' ' && c <= '~') return std::string("'") + c + "'";
    return "byte " + std::to_string(static_cast<unsigned char>(c));
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool accept(std::string_view token) {
    skip_space();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  NodePointer make(Op op, std::vector<NodePointer> operands) {
    auto node = std::make_shared<Node>();
    node->op = op;
    for (const NodePointer& operand : operands) {
      node->depth = std::max(node->depth, operand->depth + 1);
    }
    if (node->depth > Expression::kMaxDepth) return too_deep();
    node->operands = std::move(operands);
    return node;
  }

  NodePointer parse_conditional() {
    if (nesting_ >= Expression::kMaxDepth) return too_deep();
    ++nesting_;
    NodePointer condition = parse_binary(1);
    if (condition && accept("?")) {
      NodePointer yes = parse_conditional();
      if (yes && !accept(":")) {
        yes = fail("expected ':' of '?:', found " + what_is_here());
      }
      NodePointer no = yes ? parse_conditional() : nullptr;
      condition = no ? make(Op::conditional, {condition, yes, no}) : nullptr;
    }
    --nesting_;
    return condition;
  }

  const BinaryOperator* binary_operator_here() {
    skip_space();
    const std::string_view rest = text_.substr(at_);
    for (const BinaryOperator& binary : kBinaryOperators) {
      if (rest.starts_with(binary.text)) return &binary;
    }
    return nullptr;
  }

  NodePointer parse_binary(int least_precedence) {
    NodePointer left = parse_unary();
    int last_precedence = 0;
    while (left) {
      const BinaryOperator* binary = binary_operator_here();
      if (!binary || binary->precedence < least_precedence) return left;
      if (is_comparison(binary->op) && binary->precedence == last_precedence) {
        return fail("comparisons do not chain; join two with &&");
      }
      last_precedence = binary->precedence;
      at_ += binary->text.size();
      NodePointer right = parse_binary(binary->precedence + 1);
      if (!right) return nullptr;
      left = make(binary->op, {std::move(left), std::move(right)});
    }
    return nullptr;
  }

  NodePointer parse_unary() {
    skip_space();
    if (at_ >= text_.size()) return fail("expected a value, found end");
    const char c = text_[at_];
    if (c == '-' || c == '!') {
      if (nesting_ >= Expression::kMaxDepth) return too_deep();
      ++at_;
      skip_space();
      if (c == '-' && at_ < text_.size() && is_digit(text_[at_])) {
        return parse_number(/*negative=*/true);
      }
      ++nesting_;
      NodePointer operand = parse_unary();
      --nesting_;
      if (!operand) return nullptr;
      return make(c == '-' ? Op::negate : Op::logical_not,
                  {std::move(operand)});
    }
    if (is_digit(c)) return parse_number(/*negative=*/false);
    if (is_letter(c)) return parse_name();
    if (c == '(') {
      ++at_;
      NodePointer inner = parse_conditional();
      if (!inner) return nullptr;
      if (!accept(")")) return fail("expected ')', found " + what_is_here());
      return inner;
    }
    return fail("expected a value, found " + what_is_here());
  }

  NodePointer parse_number(bool negative) {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    if (at_ < text_.size() && is_name_character(text_[at_])) {
      return fail_at(start, "numbers are decimal integers without a suffix");
    }
    if (at_ < text_.size() && text_[at_] == '.') {
      return fail_at(start, "numbers are integers; '.' is not known here");
    }
    if (at_ - start > 1 && text_[start] == '0') {
      return fail_at(start, "numbers are decimal; drop the leading zero");
    }
    const std::string digits = fmt::format("{}{}", negative ? "-" : "",
                                           text_.substr(start, at_ - start));
    auto node = std::make_shared<Node>();
    const auto parsed = std::from_chars(
        digits.data(), digits.data() + digits.size(), node->value);
    if (parsed.ec != std::errc()) {
      return fail_at(start, "the number does not fit in 64 bits");
    }
    return node;
  }

  NodePointer parse_name() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    if (at_ - start > kMaxNameBytes) {
      return fail_at(
          start, fmt::format("a name has at most {} letters", kMaxNameBytes));
    }
    const std::string name(text_.substr(start, at_ - start));
    const Function* function = find_function(name);
    if (accept("(")) {
      if (!function) {
        return fail_at(start, "unknown function '" + name +
                                  "'; there are min, max, ceil_div, align_up");
      }
      return parse_call(*function, start);
    }
    if (function) {
      return fail_at(start, "'" + name + "' is a function; call it with (...)");
    }
    names_.insert(name);
    auto node = std::make_shared<Node>();
    node->op = Op::name;
    node->name = name;
    return node;
  }

  NodePointer parse_call(const Function& function, std::size_t start) {
    std::vector<NodePointer> arguments;
    if (!accept(")")) {
      do {
        NodePointer argument = parse_conditional();
        if (!argument) return nullptr;
        arguments.push_back(std::move(argument));
      } while (accept(","));
      if (!accept(")")) {
        return fail("expected ',' or ')', found " + what_is_here());
      }
    }
    if (arguments.size() < function.least_arguments ||
        arguments.size() > function.most_arguments) {
      const std::string wanted = function.most_arguments == kAnyNumber
                                     ? "at least one argument"
                                     : "two arguments";
      return fail_at(start, std::string(function.name) + " takes " + wanted +
                                ", not " + std::to_string(arguments.size()));
    }
    return make(function.op, std::move(arguments));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  std::optional<std::string> error_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace

std::string_view symbol_of(ExpressionOp op) {
  for (const BinaryOperator& binary : kBinaryOperators) {
    if (binary.op == op) return binary.text;
  }
  for (const Function& function : kFunctions) {
    if (function.op == op) return function.name;
  }
  return "-";
}
Result<ParsedExpression> parse_expression(std::string_view text) {
  Parser parser(text);
  auto root = parser.parse_all();
  if (!root) return error_of(root);
  return ParsedExpression{std::move(*root), parser.take_names()};
}

}  // namespace evoke
