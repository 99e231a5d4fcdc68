// Random expressions against a second evaluator: trees are made first, printed
// with as few parentheses as the grammar allows, and evaluated in 128 bits.
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/expression.h"
#include "evoke/base/rng.h"

namespace evoke {
namespace {

__extension__ typedef __int128 Wide;

struct Tree {
  std::string op;  // "literal", "name", an operator, "?:" or a function
  int64_t value = 0;
  std::string name;
  std::vector<Tree> children;
};

const Symbols kSymbols{{"a", 3},
                       {"b", -7},
                       {"zero", 0},
                       {"big", std::numeric_limits<int64_t>::max()},
                       {"small", std::numeric_limits<int64_t>::min()}};

Tree random_tree(Rng& rng, int depth) {
  if (depth == 0 || rng.chance(0.15)) {
    Tree leaf;
    if (rng.chance(0.4)) {
      const std::vector<std::string> names{"a", "b", "zero", "big", "small"};
      leaf.op = "name";
      leaf.name = rng.pick(names);
      return leaf;
    }
    leaf.op = "literal";
    const int bits = static_cast<int>(rng.below(4)) * 20 + 3;
    leaf.value = static_cast<int64_t>(rng.next() >> (64 - bits));
    return leaf;
  }
  const std::vector<std::string> operators{
      "+",  "-",  "*",  "/",  "%",  "<",  "<=",  ">",   ">=",       "==",
      "!=", "&&", "||", "?:", "u-", "u!", "min", "max", "ceil_div", "align_up"};
  Tree tree;
  tree.op = rng.pick(operators);
  std::size_t arity = 2;
  if (tree.op == "?:") arity = 3;
  if (tree.op == "u-" || tree.op == "u!") arity = 1;
  if (tree.op == "min" || tree.op == "max") arity = 1 + rng.below(4);
  for (std::size_t i = 0; i < arity; ++i) {
    tree.children.push_back(random_tree(rng, depth - 1));
  }
  return tree;
}

std::optional<int64_t> narrow(Wide value) {
  if (value < std::numeric_limits<int64_t>::min() ||
      value > std::numeric_limits<int64_t>::max()) {
    return std::nullopt;
  }
  return static_cast<int64_t>(value);
}

// The least multiple of b that is not below a, over b; b > 0.
Wide ceiling(Wide a, Wide b) {
  Wide quotient = a / b;
  while (quotient * b < a) ++quotient;
  return quotient;
}

std::optional<int64_t> reference(const Tree& tree) {
  if (tree.op == "literal") return tree.value;
  if (tree.op == "name") return kSymbols.find(tree.name)->second;
  const auto first = reference(tree.children[0]);
  if (!first) return std::nullopt;
  const Wide x = *first;
  if (tree.op == "u-") return narrow(-x);
  if (tree.op == "u!") return x == 0;
  if (tree.op == "?:") return reference(tree.children[x != 0 ? 1 : 2]);
  if (tree.op == "&&" && x == 0) return 0;
  if (tree.op == "||" && x != 0) return 1;
  if (tree.op == "min" || tree.op == "max") {
    int64_t best = *first;
    for (std::size_t i = 1; i < tree.children.size(); ++i) {
      const auto next = reference(tree.children[i]);
      if (!next) return std::nullopt;
      if (tree.op == "min" ? *next < best : *next > best) best = *next;
    }
    return best;
  }
  const auto second = reference(tree.children[1]);
  if (!second) return std::nullopt;
  const Wide y = *second;
  if (tree.op == "+") return narrow(x + y);
  if (tree.op == "-") return narrow(x - y);
  if (tree.op == "*") return narrow(x * y);
  if (tree.op == "/") return y == 0 ? std::nullopt : narrow(x / y);
  if (tree.op == "%") return y == 0 ? std::nullopt : narrow(x % y);
  if (tree.op == "<") return x < y;
  if (tree.op == "<=") return x <= y;
  if (tree.op == ">") return x > y;
  if (tree.op == ">=") return x >= y;
  if (tree.op == "==") return x == y;
  if (tree.op == "!=") return x != y;
  if (tree.op == "&&" || tree.op == "||") return y != 0;
  if (y <= 0) return std::nullopt;
  if (tree.op == "ceil_div") return narrow(ceiling(x, y));
  return narrow(ceiling(x, y) * y);
}

int level(const Tree& tree) {
  const std::string& op = tree.op;
  if (op == "?:") return 0;
  if (op == "||") return 1;
  if (op == "&&") return 2;
  if (op == "==" || op == "!=") return 3;
  if (op == "<" || op == "<=" || op == ">" || op == ">=") return 4;
  if (op == "+" || op == "-") return 5;
  if (op == "*" || op == "/" || op == "%") return 6;
  if (op == "u-" || op == "u!") return 7;
  return 8;
}

std::string printed(const Tree& tree, Rng& rng);

std::string printed_at(const Tree& tree, int least_level, Rng& rng) {
  const std::string text = printed(tree, rng);
  return level(tree) < least_level ? "(" + text + ")" : text;
}

std::string printed(const Tree& tree, Rng& rng) {
  const std::string gap = rng.chance(0.5) ? " " : "";
  if (tree.op == "literal") return std::to_string(tree.value);
  if (tree.op == "name") return tree.name;
  const int own = level(tree);
  if (tree.op == "u-" || tree.op == "u!") {
    return tree.op.substr(1) + gap + printed_at(tree.children[0], 7, rng);
  }
  if (tree.op == "?:") {
    return printed_at(tree.children[0], 1, rng) + gap + "?" + gap +
           printed(tree.children[1], rng) + gap + ":" + gap +
           printed(tree.children[2], rng);
  }
  if (own == 8) {
    std::string text = tree.op + gap + "(";
    for (std::size_t i = 0; i < tree.children.size(); ++i) {
      if (i > 0) text += gap + "," + gap;
      text += printed(tree.children[i], rng);
    }
    return text + ")";
  }
  // Left associative; comparisons do not chain at all.
  const bool comparison = own == 3 || own == 4;
  return printed_at(tree.children[0], comparison ? own + 1 : own, rng) + gap +
         tree.op + gap + printed_at(tree.children[1], own + 1, rng);
}

TEST(ExpressionProperty, AgreesWithA128BitEvaluator) {
  Rng rng(20261123);
  int with_value = 0;
  int with_error = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Tree tree = random_tree(rng, 1 + static_cast<int>(rng.below(6)));
    const std::string text = printed(tree, rng);
    const auto parsed = Expression::parse(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    const auto value = parsed->evaluate(kSymbols);
    const auto expected = reference(tree);
    ASSERT_EQ(value.has_value(), expected.has_value()) << text;
    if (expected) {
      ASSERT_EQ(*value, *expected) << text;
    }
    ++(expected ? with_value : with_error);
  }
  // Both kinds of answer were really tried.
  EXPECT_GT(with_value, 2000);
  EXPECT_GT(with_error, 2000);
}

TEST(ExpressionProperty, NoTextMakesItMisbehave) {
  Rng rng(7);
  const std::string letters = "0123456789abLk+-*/%<>=!&|?:(), \t.min;max\"#";
  int accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (uint64_t n = rng.below(24); n > 0; --n) {
      text.push_back(letters[rng.below(letters.size())]);
    }
    const auto parsed = Expression::parse(text);
    if (!parsed) {
      ASSERT_TRUE(parsed.error().message.starts_with("column ")) << text;
      continue;
    }
    ++accepted;
    const auto value = parsed->evaluate(kSymbols);
    const auto again = Expression::parse(parsed->text());
    ASSERT_TRUE(again) << text;
    const auto second = again->evaluate(kSymbols);
    ASSERT_EQ(value.has_value(), second.has_value()) << text;
    if (value) {
      ASSERT_EQ(*value, *second) << text;
    }
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace evoke
