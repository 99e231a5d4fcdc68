// The pattern that cuts a text into the words that byte pairs are merged in.
// It comes from tokenizer.json, was written for Oniguruma, and is run by
// PCRE2: so only what means the same in both is accepted.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::model {

class SplitPattern {
 public:
  // One thread's working memory, reused from text to text.
  class Workspace {
   public:
    Workspace();
    Workspace(Workspace&&) noexcept;
    Workspace& operator=(Workspace&&) noexcept;
    ~Workspace();

   private:
    friend class SplitPattern;
    struct Parts;
    std::unique_ptr<Parts> parts_;
  };

  // The error says what in `pattern` is not supported.
  static Result<SplitPattern> compile(std::string_view pattern);
  SplitPattern(SplitPattern&&) noexcept;
  SplitPattern& operator=(SplitPattern&&) noexcept;
  ~SplitPattern();

  // Sets `ends` to where the words of `text` (valid UTF-8) end: each match is
  // a word, and so is what lies between two matches. Fails only when matching
  // takes more steps than a sane pattern ever does, or memory runs out.
  Result<void> split(std::string_view text, Workspace& workspace,
                     std::vector<std::size_t>& ends) const;

 private:
  struct Code;
  explicit SplitPattern(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

}  // namespace evoke::model
