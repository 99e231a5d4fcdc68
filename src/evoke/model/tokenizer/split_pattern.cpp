#include "evoke/model/tokenizer/split_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "evoke/base/utf8.h"
#include "evoke/model/tokenizer/code_points.h"
#include "evoke/model/tokenizer/split_syntax.h"
#include "evoke/model/tokenizer/unicode_differences.h"

namespace evoke::model {
namespace {

template <auto release>
struct Release {
  template <typename T>
  void operator()(T* object) const {
    release(object);
  }
};

constexpr std::size_t kJitStackBytes = 1 << 20;
// Steps of backtracking: PCRE2's own default, and more for long texts.
constexpr std::size_t kLeastSteps = 10'000'000;
constexpr std::size_t kStepsPerByte = 16;

std::string message_of(int code) {
  unsigned char text[256];
  if (pcre2_get_error_message(code, text, sizeof(text)) < 0) {
    return "error " + std::to_string(code);
  }
  return reinterpret_cast<const char*>(text);
}

// `text` with stand-ins for the characters that need one; `text` itself, a
// view without a copy, when none does.
std::string_view with_stand_ins(std::string_view text, std::string& storage) {
  std::size_t done = 0;
  storage.clear();
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const CodePoint c = code_point_at(text, at);
    if (block_has_stand_ins(c.value)) {
      const char32_t stand_in = split_stand_in(c.value);
      if (stand_in != c.value) {
        storage.append(text.substr(done, at - done));
        append_utf8(storage, stand_in);
        done = at + c.bytes;
      }
    }
    at += c.bytes;
  }
  if (done == 0) return text;
  storage.append(text.substr(done));
  return storage;
}

}  // namespace

struct SplitPattern::Code {
  std::unique_ptr<pcre2_code, Release<&pcre2_code_free>> code;
  bool jit = false;  // some systems forbid pages that can be written and run
};

struct SplitPattern::Workspace::Parts {
  std::unique_ptr<pcre2_match_data, Release<&pcre2_match_data_free>> data{
      pcre2_match_data_create(16, nullptr)};
  std::unique_ptr<pcre2_match_context, Release<&pcre2_match_context_free>>
      context{pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_jit_stack, Release<&pcre2_jit_stack_free>> stack{
      pcre2_jit_stack_create(32 * 1024, kJitStackBytes, nullptr)};
  std::string text;  // with stand-ins

  Parts() {
    if (!data || !context || !stack) throw std::bad_alloc();
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

SplitPattern::Workspace::Workspace() : parts_(std::make_unique<Parts>()) {}
SplitPattern::Workspace::Workspace(Workspace&&) noexcept = default;
SplitPattern::Workspace& SplitPattern::Workspace::operator=(
    Workspace&&) noexcept = default;
SplitPattern::Workspace::~Workspace() = default;

SplitPattern::SplitPattern(std::unique_ptr<Code> code)
    : code_(std::move(code)) {}
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;
SplitPattern& SplitPattern::operator=(SplitPattern&&) noexcept = default;
SplitPattern::~SplitPattern() = default;

Result<SplitPattern> SplitPattern::compile(std::string_view pattern) {
  const std::string unsupported = find_unsupported_syntax(pattern);
  if (!unsupported.empty()) {
    return failed("the split pattern uses '" + one_line(unsupported, 40) +
                  "', which is not supported");
  }
  int error = 0;
  std::size_t offset = 0;
  auto code = std::make_unique<Code>();
  code->code.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_NO_AUTO_CAPTURE, &error, &offset, nullptr));
  if (!code->code) {
    return failed("the split pattern is wrong at byte " +
                  std::to_string(offset) + ": " + message_of(error));
  }
  uint32_t may_be_empty = 0;
  pcre2_pattern_info(code->code.get(), PCRE2_INFO_MATCHEMPTY, &may_be_empty);
  if (may_be_empty != 0) {
    return failed("the split pattern may match nothing at all");
  }
  code->jit = pcre2_jit_compile(code->code.get(), PCRE2_JIT_COMPLETE) == 0;
  return SplitPattern(std::move(code));
}

Result<void> SplitPattern::split(std::string_view text, Workspace& workspace,
                                 std::vector<std::size_t>& ends) const {
  Workspace::Parts& parts = *workspace.parts_;
  const std::string_view subject = with_stand_ins(text, parts.text);
  const std::size_t steps =
      std::max(kLeastSteps, kStepsPerByte * subject.size());
  pcre2_set_match_limit(
      parts.context.get(),
      static_cast<uint32_t>(std::min<std::size_t>(steps, UINT32_MAX)));
  const auto* bytes = reinterpret_cast<PCRE2_SPTR>(subject.data());
  const std::size_t* found = pcre2_get_ovector_pointer(parts.data.get());

  ends.clear();
  std::size_t done = 0;
  while (done < subject.size()) {
    const auto match = code_->jit ? &pcre2_jit_match : &pcre2_match;
    const int count =
        match(code_->code.get(), bytes, subject.size(), done,
              PCRE2_NO_UTF_CHECK, parts.data.get(), parts.context.get());
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count < 0) {
      return failed("the split pattern failed on a text of " +
                    std::to_string(text.size()) +
                    " bytes: " + message_of(count));
    }
    if (found[0] > done) ends.push_back(found[0]);
    ends.push_back(found[1]);
    done = found[1];
  }
  if (done < subject.size()) ends.push_back(subject.size());
  return {};
}

}  // namespace evoke::model
