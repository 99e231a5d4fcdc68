#include "evoke/evaluation/judge/unit_identity.h"

#include <cstddef>
#include <set>
#include <string_view>
#include <vector>

#include "evoke/base/hash.h"
#include "evoke/base/json.h"
#include "evoke/core/launch_bounds.h"
#include "evoke/core/source_tokens.h"
#include "evoke/evaluation/protocol/plan_json.h"

namespace evoke::judge {
namespace {

using Tokens = std::vector<SourceToken>;

bool is(const Tokens& tokens, std::size_t at, std::string_view text) {
  return at < tokens.size() && tokens[at].text == text;
}

// The index after the brace that closes the one at `open`. Candidates' braces
// pair (core checks that); where they do not, everything to the end.
std::size_t after_body(const Tokens& tokens, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < tokens.size(); ++i) {
    if (tokens[i].kind != SourceToken::Kind::punctuation) continue;
    if (tokens[i].text == "{") ++depth;
    if (tokens[i].text == "}" && --depth == 0) return i + 1;
  }
  return tokens.size();
}

// Tokens outside the bodies KERNEL(name) { ... } of kernels not `wanted`.
std::vector<const SourceToken*> visible_tokens(
    const Tokens& tokens, const std::set<std::string>& wanted) {
  std::vector<const SourceToken*> visible;
  for (std::size_t i = 0; i < tokens.size();) {
    const bool kernel = tokens[i].text == "KERNEL" && !tokens[i].in_directive &&
                        is(tokens, i + 1, "(") && is(tokens, i + 3, ")") &&
                        is(tokens, i + 4, "{");
    if (kernel && !wanted.contains(tokens[i + 2].text)) {
      i = after_body(tokens, i + 4);
    } else {
      visible.push_back(&tokens[i++]);
    }
  }
  return visible;
}

// A directive as it is written: "F (x)" and "F(x)" define different macros.
std::string directive_text(const KernelSource& kernel, int line) {
  const std::string_view code = kernel.code();
  std::size_t begin = 0;
  for (int at = kernel.code_line(); at < line; ++at) {
    begin = code.find('\n', begin) + 1;
  }
  std::size_t end = code.find('\n', begin);
  while (end != std::string_view::npos && end > 0 && code[end - 1] == '\\') {
    end = code.find('\n', end + 1);
  }
  return std::string(code.substr(begin, end - begin));
}

Json scratch_types(const KernelPlan& plan) {
  Json types = Json::array();
  for (const ScratchTensor& scratch : plan.scratch) {
    types.push_back(
        {scratch.name, to_string(scratch.type), scratch.shape.size()});
  }
  return types;
}

}  // namespace

std::string unit_identity(const KernelSource& kernel,
                          const ProblemSignature& signature,
                          const CompileUnit& unit) {
  const KernelPlan& plan = kernel.plan();
  Json identity = {{"dialect", to_string(kernel.dialect())},
                   {"signature", protocol::to_json(signature)},
                   {"scratch", scratch_types(plan)}};
  for (const Derived& derived : plan.derived) {
    identity["derived"].push_back(derived.name);
  }
  std::set<std::string> wanted;
  if (unit.variant < plan.variants.size()) {
    for (const Launch& launch : plan.variants[unit.variant].launches) {
      wanted.insert(launch.kernel);
      identity["launches"].push_back(
          {launch.kernel, launch.reads, launch.writes});
      if (kernel.dialect() != Dialect::cuda) continue;
      const auto bounds = launch_bounds(kernel, unit, launch.kernel);
      identity["launches"].push_back({launch.cuda.tensor_maps, launch.cuda.pdl,
                                      bounds ? bounds->max_threads : -1,
                                      bounds ? bounds->min_blocks : -1});
    }
  }

  const Tokens& tokens = kernel.tokens();
  std::set<std::string_view> names;
  bool names_can_be_made = false;  // by ##
  std::string text;
  for (const SourceToken* token : visible_tokens(tokens, wanted)) {
    // A directive is a line of its own; elsewhere lines mean nothing.
    const bool directive = token->in_directive && token->starts_line;
    text.append(directive ? "\n#" : "\n ").append(token->text);
    names.insert(token->text);
    if (directive) text += directive_text(kernel, token->line);
    if (token->text == "##") names_can_be_made = true;
  }
  if (names_can_be_made || names.contains("__LINE__") ||
      names.contains("__builtin_LINE")) {
    identity["line"] = kernel.code_line();
    identity["lines"] = hash_hex(kernel.code());
  }
  for (const auto& [name, value] : unit.constants) {
    if (names_can_be_made || names.contains(name)) {
      identity["constants"][name] = value;
    }
  }
  // Which constants exist matters even where their values do not: a name of
  // the code's own may collide with one.
  for (const auto& [name, value] : unit.constants) {
    identity["names"].push_back(name);
  }
  return hash_hex(identity.dump() + text);
}

}  // namespace evoke::judge
