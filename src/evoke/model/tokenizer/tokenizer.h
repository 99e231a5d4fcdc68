// Text to tokens and back, exactly as Hugging Face's tokenizers does it for
// the byte-level BPE of Qwen2 and Qwen3. docs/model.md says what is supported
// and what "exactly" was checked against.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"

namespace evoke::model {

// Constant once loaded: any number of threads may use one at the same time.
class Tokenizer {
 public:
  // Reads tokenizer.json, and tokenizer_config.json and chat_template.jinja
  // where they are there. `absent`: no such folder, or no tokenizer.json in
  // it.
  static Result<Tokenizer> load(const std::filesystem::path& model_folder);
  // From the text of a tokenizer.json alone; `name` begins each error.
  static Result<Tokenizer> parse(std::string_view tokenizer_json,
                                 std::string_view name);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Added tokens in the text, special ones too, become what they stand for.
  // No token is put before or behind the text. Fails when it is not valid
  // UTF-8.
  Result<std::vector<int32_t>> encode(std::string_view text) const;

  // Bytes that are not UTF-8 become U+FFFD (lossy_utf8.h). Ids that are no
  // token's are left out.
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  // Ids are 0 ... vocabulary_size() - 1. A model may have more rows.
  int32_t vocabulary_size() const;
  // A token in the byte alphabet, or an added token's own text.
  std::optional<int32_t> id_of(std::string_view token) const;
  // The reverse; "" for an id that is no token's.
  std::string_view token(int32_t id) const;
  // What it adds to a decoded text; "" for an id that is no token's.
  std::string_view bytes(int32_t id) const;
  // Whether decode(..., true) leaves it out.
  bool is_special(int32_t id) const;

  // tokenizer_config.json's eos_token, where it is one of the vocabulary.
  std::optional<int32_t> eos_id() const;
  // Jinja, "" if there is none: see chat_template.h.
  const std::string& chat_template() const;

 private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace evoke::model
