// Tokens that are found in the text itself, before it is cut into words:
// <|im_start|> and the like.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace evoke::model {

// As in tokenizer.json.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;      // left out by decode(..., skip_special)
  bool single_word = false;  // not beside a letter, mark, digit or connector
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and behind it
  bool normalized = false;   // searched for in normalized text
};

class AddedTokens {
 public:
  static constexpr int32_t kText = -1;
  struct Piece {
    std::size_t begin = 0;
    std::size_t end = 0;
    int32_t id = kText;
  };

  // Finds any of the given texts; `second` is what it stands for. Texts are
  // not empty, and no two are the same.
  explicit AddedTokens(
      std::span<const std::pair<std::string, AddedToken>> texts);

  // Cuts `text` (valid UTF-8) at the leftmost longest matches. Pieces may
  // overlap in one case, as in Hugging Face: a token that begins with white
  // space stands behind one that strips it.
  void split(std::string_view text, std::vector<Piece>& pieces) const;

 private:
  struct Match {
    std::size_t bytes = 0;
    int32_t token = -1;  // index into tokens_
  };
  Match match_at(std::string_view text, std::size_t at) const;

  struct Node {
    std::map<char, int32_t> next;  // a byte -> index into nodes_
    int32_t token = -1;
  };
  std::vector<Node> nodes_;
  std::vector<AddedToken> tokens_;
  bool begins_token_[256] = {};
};

// What Rust's regular expressions call \s and \w: the sides of an added token
// are judged by them.
bool is_white_space(char32_t c);
bool is_word_character(char32_t c);

}  // namespace evoke::model
