#include "evoke/base/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace evoke {

namespace {

enum class Op {
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

bool is_comparison(Op op) { return op >= Op::less && op <= Op::not_equal; }
bool is_equality(Op op) { return op == Op::equal || op == Op::not_equal; }

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

}  // namespace

struct Expression::Node {
  using Pointer = std::shared_ptr<const Node>;
  Op op = Op::literal;
  int depth = 1;  // of the tree below and with this node
  int64_t value = 0;
  std::string name;
  std::vector<Pointer> operands;
};

namespace {

using Node = Expression::Node;
using NodePointer = Node::Pointer;

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

std::string_view symbol_of(Op op) {
  for (const BinaryOperator& binary : kBinaryOperators) {
    if (binary.op == op) return binary.text;
  }
  for (const Function& function : kFunctions) {
    if (function.op == op) return function.name;
  }
  return "-";
}

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
std::string tidied(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  std::string tidy(text);
  std::replace_if(tidy.begin(), tidy.end(), is_space, ' ');
  return tidy;
}

}  // namespace

Result<Expression> Expression::parse(std::string_view text) {
  Parser parser(text);
  auto root = parser.parse_all();
  if (!root) return error_of(root);
  Expression expression;
  expression.text_ = tidied(text);
  expression.names_ = parser.take_names();
  expression.root_ = std::move(*root);
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
