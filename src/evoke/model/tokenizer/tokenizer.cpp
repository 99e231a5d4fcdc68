#include "evoke/model/tokenizer/tokenizer.h"

#include <mutex>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "evoke/base/fd.h"
#include "evoke/base/utf8.h"
#include "evoke/model/tokenizer/added_tokens.h"
#include "evoke/model/tokenizer/byte_alphabet.h"
#include "evoke/model/tokenizer/byte_pairs.h"
#include "evoke/model/tokenizer/lossy_utf8.h"
#include "evoke/model/tokenizer/nfc.h"
#include "evoke/model/tokenizer/split_pattern.h"
#include "evoke/model/tokenizer/tokenizer_config.h"
#include "evoke/model/tokenizer/tokenizer_file.h"
#include "evoke/model/tokenizer/word_cache.h"

namespace evoke::model {
namespace {

// What one encode() at a time needs.
struct Workspace {
  std::vector<AddedTokens::Piece> pieces;
  std::vector<AddedTokens::Piece> normalized_pieces;
  std::string normalized;
  SplitPattern::Workspace split;
  std::vector<std::size_t> word_ends;
  WordCache words;
  BytePairs::Workspace merging;
};

// Kept from call to call, so that short texts find the words of earlier ones.
class Workspaces {
 public:
  std::unique_ptr<Workspace> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Workspace>();
    std::unique_ptr<Workspace> workspace = std::move(free_.back());
    free_.pop_back();
    return workspace;
  }
  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(workspace));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

// What a token is found by: in a normalized text, its own normal form.
std::string text_to_find(const TokenizerFile& file, const AddedToken& token) {
  if (!token.normalized || !file.nfc) return token.content;
  std::string storage;
  return std::string(to_nfc(token.content, storage));
}

// The texts to look for, before (`normalized` false) and after normalization.
Result<AddedTokens> find_added(const TokenizerFile& file, bool normalized,
                               std::string_view name) {
  std::vector<std::pair<std::string, AddedToken>> texts;
  std::unordered_map<std::string, int32_t> seen;
  for (const AddedToken& token : file.added) {
    if (token.normalized != normalized) continue;
    const std::string text = text_to_find(file, token);
    if (!seen.emplace(text, token.id).second) {
      return failed(one_line(name, 500) + ": added token '" +
                    one_line(token.content, 60) +
                    "' is the same as another one when normalized");
    }
    texts.emplace_back(text, token);
  }
  return AddedTokens(texts);
}

}  // namespace

struct Tokenizer::Parts {
  Parts(TokenizerFile read, SplitPattern pattern, AddedTokens added,
        AddedTokens added_normalized)
      : file(std::move(read)),
        split(std::move(pattern)),
        byte_pairs(file.merges),
        raw_added(std::move(added)),
        normalized_added(std::move(added_normalized)) {
    ids.reserve(file.tokens.size());
    bytes.reserve(file.tokens.size());
    for (std::size_t i = 0; i < file.tokens.size(); ++i) {
      const auto id = static_cast<int32_t>(i);
      const std::string& token = file.tokens[i];
      ids.emplace(token, id);
      bytes.push_back(bytes_of_symbols(token).value_or(token));
    }
    special.resize(file.tokens.size());
    for (const AddedToken& token : file.added) describe_added(token);
    if (!file.ignore_merges) return;
    for (std::size_t i = 0; i < file.model_tokens; ++i) {
      const auto word = bytes_of_symbols(file.tokens[i]);
      if (word) whole_words.emplace(*word, static_cast<int32_t>(i));
    }
  }

  // Hugging Face decodes the normalized text of an added token, and takes it
  // for special only if that is the text it was added with.
  void describe_added(const AddedToken& token) {
    const auto at = static_cast<std::size_t>(token.id);
    const std::string text = text_to_find(file, token);
    special[at] = token.special && text == token.content;
    bytes[at] = bytes_of_symbols(text).value_or(text);
  }

  Result<void> encode(std::string_view text, Workspace& workspace,
                      std::vector<int32_t>& result) const;
  Result<void> encode_words(std::string_view text, Workspace& workspace,
                            std::vector<int32_t>& result) const;
  void encode_word(std::string_view word, Workspace& workspace,
                   std::vector<int32_t>& result) const;

  TokenizerFile file;
  SplitPattern split;
  BytePairs byte_pairs;
  AddedTokens raw_added;
  AddedTokens normalized_added;
  std::unordered_map<std::string_view, int32_t> ids;     // views of file.tokens
  std::unordered_map<std::string, int32_t> whole_words;  // by their bytes
  std::vector<std::string> bytes;  // by id: what it decodes to
  std::vector<bool> special;
  std::optional<int32_t> eos_id;
  std::string chat_template;
  mutable Workspaces workspaces;
};

void Tokenizer::Parts::encode_word(std::string_view word, Workspace& workspace,
                                   std::vector<int32_t>& result) const {
  const bool cached = WordCache::takes(word);
  if (cached) {
    const std::span<const int32_t> known = workspace.words.find(word);
    if (!known.empty()) {
      result.insert(result.end(), known.begin(), known.end());
      return;
    }
  }
  std::vector<int32_t>& merged = workspace.merging.ids;
  merged.clear();
  const auto whole = file.ignore_merges ? whole_words.find(std::string(word))
                                        : whole_words.end();
  if (whole != whole_words.end()) {
    merged.push_back(whole->second);
  } else {
    for (const char c : word) {
      merged.push_back(file.byte_ids[static_cast<unsigned char>(c)]);
    }
    byte_pairs.merge(workspace.merging);
  }
  if (cached) workspace.words.add(word, merged);
  result.insert(result.end(), merged.begin(), merged.end());
}

Result<void> Tokenizer::Parts::encode_words(
    std::string_view text, Workspace& workspace,
    std::vector<int32_t>& result) const {
  const auto cut = split.split(text, workspace.split, workspace.word_ends);
  if (!cut) return cut;
  std::size_t begin = 0;
  for (const std::size_t end : workspace.word_ends) {
    encode_word(text.substr(begin, end - begin), workspace, result);
    begin = end;
  }
  return {};
}

Result<void> Tokenizer::Parts::encode(std::string_view text,
                                      Workspace& workspace,
                                      std::vector<int32_t>& result) const {
  raw_added.split(text, workspace.pieces);
  for (const AddedTokens::Piece& piece : workspace.pieces) {
    if (piece.id != AddedTokens::kText) {
      result.push_back(piece.id);
      continue;
    }
    const std::string_view raw =
        text.substr(piece.begin, piece.end - piece.begin);
    const std::string_view normalized =
        file.nfc ? to_nfc(raw, workspace.normalized) : raw;
    normalized_added.split(normalized, workspace.normalized_pieces);
    for (const AddedTokens::Piece& inner : workspace.normalized_pieces) {
      if (inner.id != AddedTokens::kText) {
        result.push_back(inner.id);
        continue;
      }
      const auto encoded =
          encode_words(normalized.substr(inner.begin, inner.end - inner.begin),
                       workspace, result);
      if (!encoded) return encoded;
    }
  }
  return {};
}

Tokenizer::Tokenizer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& model_folder) {
  const std::string folder = one_line(model_folder.string(), 500);
  std::error_code unknown;
  if (!std::filesystem::exists(model_folder, unknown)) {
    return absent(folder + ": no such model folder");
  }
  if (!std::filesystem::is_directory(model_folder, unknown)) {
    return failed(folder +
                  ": is not a folder; a model folder holds "
                  "tokenizer.json, config.json and weights");
  }
  const std::string path = (model_folder / "tokenizer.json").string();
  const auto text = read_file(path);
  if (!text) return error_of(text);
  auto tokenizer = parse(*text, path);
  if (!tokenizer) return tokenizer;
  auto config = read_tokenizer_config(model_folder);
  if (!config) return error_of(config);
  tokenizer->parts_->eos_id = tokenizer->id_of(config->eos_token);
  tokenizer->parts_->chat_template = std::move(config->chat_template);
  return tokenizer;
}

Result<Tokenizer> Tokenizer::parse(std::string_view tokenizer_json,
                                   std::string_view name) {
  auto file = read_tokenizer_file(tokenizer_json, name);
  if (!file) return error_of(file);
  auto split = SplitPattern::compile(file->split_pattern);
  if (!split) {
    return failed(one_line(name, 500) + ": " + split.error().message);
  }
  auto raw = find_added(*file, false, name);
  if (!raw) return error_of(raw);
  auto normalized = find_added(*file, true, name);
  if (!normalized) return error_of(normalized);
  return Tokenizer(std::make_unique<Parts>(*std::move(file), *std::move(split),
                                           *std::move(raw),
                                           *std::move(normalized)));
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text) const {
  const std::size_t invalid = find_invalid_utf8(text);
  if (invalid != text.npos) {
    return failed("the text is not valid UTF-8: byte " +
                  std::to_string(invalid) + " of " +
                  std::to_string(text.size()));
  }
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 8);  // English: four bytes to a token
  auto workspace = parts_->workspaces.take();
  const auto encoded = parts_->encode(text, *workspace, ids);
  parts_->workspaces.give_back(std::move(workspace));
  if (!encoded) return error_of(encoded);
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids,
                              bool skip_special) const {
  std::string text;
  LossyUtf8 characters;
  for (const int32_t id : ids) {
    if (!(skip_special && is_special(id))) characters.add(bytes(id), text);
  }
  characters.finish(text);
  return text;
}

int32_t Tokenizer::vocabulary_size() const {
  return static_cast<int32_t>(parts_->file.tokens.size());
}

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  const auto entry = parts_->ids.find(token);
  if (entry == parts_->ids.end()) return std::nullopt;
  return entry->second;
}

std::string_view Tokenizer::token(int32_t id) const {
  if (id < 0 || id >= vocabulary_size()) return "";
  return parts_->file.tokens[static_cast<std::size_t>(id)];
}

std::string_view Tokenizer::bytes(int32_t id) const {
  if (id < 0 || id >= vocabulary_size()) return "";
  return parts_->bytes[static_cast<std::size_t>(id)];
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < vocabulary_size() &&
         parts_->special[static_cast<std::size_t>(id)];
}

std::optional<int32_t> Tokenizer::eos_id() const { return parts_->eos_id; }

const std::string& Tokenizer::chat_template() const {
  return parts_->chat_template;
}

}  // namespace evoke::model
