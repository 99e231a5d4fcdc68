#include "tests/fuzz/entries.h"

#include <algorithm>
#include <limits>

#include "evoke/base/expression.h"
#include "evoke/base/json.h"
#include "evoke/base/utf8.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/model/tokenizer/byte_alphabet.h"
#include "evoke/model/tokenizer/nfc.h"
#include "evoke/model/tokenizer/tokenizer.h"
#include "evoke/proposers/llm/answer.h"
#include "evoke/proposers/llm/answer_edit.h"
#include "tests/core/example_kernel.h"
#include "tests/model/tokenizer/streamed.h"
#include "tests/proposers/kernels.h"

namespace evoke {
namespace {

constexpr char kPath[] = "fuzz.cpp";

// One line of UTF-8 that says where.
std::string check_message(const Error& error, std::string_view beginning) {
  const std::string& text = error.message;
  if (!text.starts_with(beginning)) return "an error does not say where";
  if (text.find('\n') != text.npos) return "an error has two lines";
  if (find_invalid_utf8(text) != text.npos) return "an error is not UTF-8";
  if (text.size() > 1000) return "an error has no end";
  return "";
}

std::string check_resolved(const LaunchPlan& plan, const DeviceLimits& limits) {
  if (plan.launches.empty()) return "a plan without launches";
  if (plan.scratch_bytes() > limits.max_scratch_bytes) return "scratch limit";
  for (const ResolvedScratch& scratch : plan.scratch) {
    if (scratch.bytes < 1) return "scratch without bytes";
  }
  for (const ResolvedLaunch& launch : plan.launches) {
    for (std::size_t d = 0; d < 3; ++d) {
      if (launch.threadgroups[d] < 1 || launch.threads[d] < 1) return "extent";
    }
    if (launch.threads[0] * launch.threads[1] * launch.threads[2] >
        limits.max_threads) {
      return "thread limit";
    }
    if (launch.dynamic_memory_bytes < 0) return "negative memory";
    if (launch.writes.empty()) return "a launch that writes nothing";
  }
  return "";
}

std::string check_at_shapes(const KernelSource& kernel) {
  DeviceLimits limits;
  limits.max_threads = 1024;
  for (const auto& [q_len, kv_len] :
       {std::pair<int64_t, int64_t>{1, 4097}, {64, 64}, {1, 1}}) {
    const auto plan = resolve(kernel, example_signature(),
                              example_shape(q_len, kv_len), limits);
    const std::string wrong = plan ? check_resolved(*plan, limits)
                                   : check_message(plan.error(), kPath);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

constexpr std::string_view kBytes = "\"@bytes\"";

const std::string& byte_entries() {
  static const std::string entries = [] {
    std::string text;
    for (int byte = 0; byte < 256; ++byte) {
      const std::string symbol =
          model::symbol_of_byte(static_cast<uint8_t>(byte));
      if (byte > 0) text.append(",");
      text.append(Json(symbol).dump()).append(":" + std::to_string(byte));
    }
    return text;
  }();
  return entries;
}

std::string check_encoding(const model::Tokenizer& tokenizer,
                           std::string_view text, bool text_comes_back) {
  const auto ids = tokenizer.encode(text);
  if (!ids) return check_message(ids.error(), "the ");
  if (*tokenizer.encode(text) != *ids) return "encoding twice differs";
  for (const int32_t id : *ids) {
    if (id < 0 || id >= tokenizer.vocabulary_size()) return "no such token";
    if (tokenizer.id_of(tokenizer.token(id)) != id)
      return "token and id differ";
  }
  for (const bool skip_special : {false, true}) {
    const auto streamed = model::test::streamed(tokenizer, *ids, skip_special);
    if (!streamed) return "a piece is not UTF-8";
    if (streamed != tokenizer.decode(*ids, skip_special)) {
      return "streaming differs";
    }
  }
  std::string storage;
  const std::string decoded = tokenizer.decode(*ids, false);
  if (text_comes_back && decoded != text &&
      decoded != model::to_nfc(text, storage)) {
    return "the text does not come back";
  }
  return "";
}

}  // namespace

std::string check_expression(std::string_view bytes) {
  const auto parsed = Expression::parse(bytes);
  if (!parsed) return check_message(parsed.error(), "column ");
  const Symbols symbols{{"Lk", 4097},
                        {"Lq", 1},
                        {"zero", 0},
                        {"least", std::numeric_limits<int64_t>::min()},
                        {"most", std::numeric_limits<int64_t>::max()}};
  const auto value = parsed->evaluate(symbols);
  if (!value) {
    const std::string wrong = check_message(value.error(), "");
    if (!wrong.empty()) return wrong;
  }
  const auto again = Expression::parse(parsed->text());
  if (!again) return "its text does not parse";
  if (!(*again == *parsed)) return "its text changes";
  if (again->names() != parsed->names()) return "its names change";
  const auto second = again->evaluate(symbols);
  if (second.has_value() != value.has_value()) return "its value changes";
  if (value && *value != *second) return "its value changes";
  if (parsed->tests_equality_of("Lk") && !parsed->names().contains("Lk")) {
    return "it tests what it does not name";
  }
  return "";
}

std::string check_kernel_source(std::string_view bytes) {
  const auto kernel = KernelSource::parse(bytes, Dialect::cpu, kPath);
  if (!kernel) return check_message(kernel.error(), kPath);

  const auto again = KernelSource::parse(kernel->text(), Dialect::cpu, kPath);
  if (!again) return "normalised text does not parse";
  if (again->text() != kernel->text()) return "normalising twice differs";
  if (!(again->plan() == kernel->plan())) return "the plan changes";

  const auto printed = kernel->with_plan(kernel->plan());
  if (!printed) {
    return std::string("printed: ").append(printed.error().message);
  }
  if (!(printed->plan() == kernel->plan())) return "printing changes the plan";
  if (format_plan(printed->plan()) != format_plan(kernel->plan())) {
    return "printing twice differs";
  }
  if (printed->code() != kernel->code()) return "printing changes the code";
  if (!kernel->check_immutable_text(*printed)) return "the plan is immutable";

  if (const auto checked = check_forbidden_text(*kernel); !checked) {
    const std::string wrong = check_message(checked.error(), kPath);
    if (!wrong.empty()) return wrong;
  }
  return check_at_shapes(*kernel);
}

std::string check_tokenizer(std::string_view bytes) {
  constexpr std::string_view kDivider = "\n---\n";
  const std::size_t end = std::min(bytes.find(kDivider), bytes.size());
  std::string json(bytes.substr(0, end));
  bytes.remove_prefix(std::min(end + kDivider.size(), bytes.size()));
  const std::size_t at = json.find(kBytes);
  if (at != json.npos) json.replace(at, kBytes.size(), byte_entries());

  const auto tokenizer = model::Tokenizer::parse(json, kPath);
  if (!tokenizer) return check_message(tokenizer.error(), kPath);
  // Added tokens may take white space along, or decode to what they are not.
  const bool plain = json.find("added_tokens") == json.npos;
  const std::string wrong = check_encoding(*tokenizer, bytes, plain);
  return wrong.empty() ? check_encoding(*tokenizer, to_valid_utf8(bytes), plain)
                       : wrong;
}

std::string check_answer(std::string_view bytes) {
  static const KernelSource parent = kernels::parsed(kernels::kSplit);
  const auto answer = llm::read_answer(bytes);
  if (!answer) return check_message(answer.error(), "");
  if (answer->blocks.empty() == answer->file.empty()) {
    return "not one of blocks and file";
  }
  if (find_invalid_utf8(answer->idea) != std::string::npos ||
      answer->idea.find('\n') != std::string::npos) {
    return "the idea is not a line of UTF-8";
  }
  if (answer->strategies.size() > 3) return "too many strategies";
  for (const std::string& strategy : answer->strategies) {
    if (strategy.empty() || strategy.size() > 32) return "a strategy's length";
  }
  // A base that parses, and one that does not, as in a repair.
  const std::string broken =
      parent.text().substr(0, parent.text().size() / 2) + "}";
  for (const std::string& base : {parent.text(), broken}) {
    const auto kernel = llm::edited_kernel(*answer, base, parent, kPath);
    if (!kernel) {
      const std::string wrong = check_message(kernel.error(), "");
      if (!wrong.empty()) return wrong;
      continue;
    }
    if (!parent.check_immutable_text(*kernel)) return "immutable text changed";
    if (kernel->text() == parent.text()) return "nothing changed";
  }
  return "";
}

}  // namespace evoke
