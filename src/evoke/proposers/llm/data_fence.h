// Marks text that was not written by us, so that what looks like an order in
// it is read as data: between lines that hold a word which nobody who wrote
// the text could know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace evoke::llm {

class DataFence {
 public:
  // A word drawn from `rng_seed` that none of `texts` holds.
  DataFence(uint64_t rng_seed, const std::vector<std::string_view>& texts);

  const std::string& word() const { return word_; }
  // `label` is ours; `text` is cleaned (fit_for_prompt).
  std::string around(std::string_view label, std::string_view text) const;

 private:
  std::string word_;
};

// Valid UTF-8 without control characters and characters that change text
// direction, ending with a line end unless empty.
std::string fit_for_prompt(std::string_view text);

// At most `max_bytes`: lines longer than 400 bytes are cut, and of what is
// still too long the middle lines go; both are said in the text.
std::string shortened(std::string_view text, std::size_t max_bytes);

}  // namespace evoke::llm
