#include "evoke/model/tokenizer/tokenizer_file.h"

#include <unordered_map>
#include <utility>

#include "evoke/base/json.h"
#include "evoke/base/utf8.h"
#include "evoke/model/tokenizer/byte_alphabet.h"
#include "evoke/model/tokenizer/json_part.h"

namespace evoke::model {
namespace {

constexpr std::string_view kSupportedPreTokenizer =
    "supported is a Sequence of Split (a Regex, Isolated) and ByteLevel "
    "(add_prefix_space and use_regex false), as Qwen2 and Qwen3 have it";

class Reader {
 public:
  explicit Reader(const Json& root) : root_(root) {}

  TokenizerFile read() {
    if (!root_.is_object()) refuse("not a JSON object");
    version();
    normalizer();
    pre_tokenizer();
    decoder();
    model();
    added_tokens();
    byte_ids();
    return std::move(file_);
  }

 private:
  void version() {
    const Json* version = find_key(root_, "version");
    if (version != nullptr && *version != "1.0") {
      refuse("the version is " + brief(*version) + "; supported is \"1.0\"");
    }
  }

  void normalizer() {
    const Json* part = find_key(root_, "normalizer");
    if (part == nullptr) return;
    if (type_of(part) != "NFC") {
      refuse("the normalizer is " + in_quotes(type_of(part)) +
             "; supported are NFC and none");
    }
    file_.nfc = true;
  }

  void pre_tokenizer() {
    const auto wrong = [](const std::string& found) {
      refuse("the pre_tokenizer " + found + "; " +
             std::string(kSupportedPreTokenizer));
    };
    const Json* part = find_key(root_, "pre_tokenizer");
    if (type_of(part) != "Sequence") wrong("is " + in_quotes(type_of(part)));
    const Json* steps = find_key(*part, "pretokenizers");
    if (steps == nullptr || !steps->is_array() || steps->size() != 2 ||
        type_of(&(*steps)[0]) != "Split" ||
        type_of(&(*steps)[1]) != "ByteLevel") {
      std::string names;
      if (steps != nullptr && steps->is_array()) {
        for (const Json& step : *steps) names += " " + type_of(&step);
      }
      wrong("is a Sequence of" +
            one_line(names.empty() ? " nothing" : names, 200));
    }
    const Json& split = (*steps)[0];
    const Json* pattern = find_key(split, "pattern");
    const Json* regex =
        pattern == nullptr ? nullptr : find_key(*pattern, "Regex");
    if (regex == nullptr || !regex->is_string())
      wrong("splits without a Regex");
    const Json* behavior = find_key(split, "behavior");
    if (behavior == nullptr || *behavior != "Isolated") {
      wrong("splits with behavior " +
            (behavior == nullptr ? "null" : brief(*behavior)));
    }
    if (flag(split, "invert", "the pre_tokenizer")) wrong("splits with invert");
    const Json& bytes = (*steps)[1];
    if (flag(bytes, "add_prefix_space", "the pre_tokenizer"))
      wrong("adds a prefix space");
    if (flag(bytes, "use_regex", "the pre_tokenizer", true))
      wrong("splits in ByteLevel, too");
    file_.split_pattern = regex->get<std::string>();
  }

  void decoder() {
    const Json* decoder = find_key(root_, "decoder");
    if (type_of(decoder) != "ByteLevel") {
      refuse("the decoder is " + in_quotes(type_of(decoder)) +
             "; supported is ByteLevel");
    }
    const Json* post = find_key(root_, "post_processor");
    if (post != nullptr && type_of(post) != "ByteLevel") {
      refuse("the post_processor is " + in_quotes(type_of(post)) +
             "; supported are ByteLevel and none");
    }
  }

  void model() {
    const Json* model = find_key(root_, "model");
    if (model == nullptr) refuse("it has no model");
    // Files of before 2020 leave the type out.
    const Json* type = find_key(*model, "type");
    if (type != nullptr && *type != "BPE") {
      refuse("the model is " + in_quotes(type_of(model)) +
             "; supported is BPE");
    }
    const Json* dropout = find_key(*model, "dropout");
    if (dropout != nullptr && *dropout != 0.0) {
      refuse("the model has dropout " + brief(*dropout) +
             ", which makes tokens by chance");
    }
    for (const char* key :
         {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json* affix = find_key(*model, key);
      if (affix != nullptr && *affix != "") {
        refuse("the model has " + std::string(key) + " " + brief(*affix) +
               ", which byte-level vocabularies do not have");
      }
    }
    if (flag(*model, "byte_fallback", "the model", false)) {
      refuse("the model has byte_fallback, which is not supported");
    }
    file_.ignore_merges = flag(*model, "ignore_merges", "the model", false);
    vocabulary(find_key(*model, "vocab"));
    merges(find_key(*model, "merges"));
  }

  void vocabulary(const Json* vocab) {
    if (vocab == nullptr || !vocab->is_object() || vocab->empty()) {
      refuse("the model has no vocab");
    }
    file_.tokens.resize(vocab->size());
    file_.model_tokens = vocab->size();
    ids_.reserve(vocab->size());
    std::vector<bool> taken(vocab->size());
    for (const auto& [token, id] : vocab->items()) {
      if (!id.is_number_integer() || id < 0 || id >= vocab->size()) {
        refuse("token " + in_quotes(token) + " has id " + brief(id) + "; the " +
               std::to_string(vocab->size()) +
               " different tokens of vocab must be numbered from 0 without "
               "holes");
      }
      const auto at = id.get<std::size_t>();
      if (taken[at]) refuse("two tokens have id " + std::to_string(at));
      taken[at] = true;
      file_.tokens[at] = token;
      ids_.emplace(token, static_cast<int32_t>(at));
    }
  }

  void merges(const Json* merges) {
    if (merges == nullptr || !merges->is_array()) {
      refuse("the model has no merges");
    }
    file_.merges.reserve(merges->size());
    std::string both;
    for (const Json& merge : *merges) {
      const auto [left, right] = two_sides(merge);
      both.assign(left).append(right);
      const auto id = [&](std::string_view token) {
        const auto entry = ids_.find(token);
        if (entry == ids_.end()) {
          refuse("merge " + std::to_string(file_.merges.size()) +
                 " needs the token " + in_quotes(token) +
                 ", which vocab does not have");
        }
        return entry->second;
      };
      file_.merges.push_back({id(left), id(right), id(both)});
    }
  }

  std::pair<std::string_view, std::string_view> two_sides(
      const Json& merge) const {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
        merge[1].is_string()) {
      return {merge[0].get_ref<const std::string&>(),
              merge[1].get_ref<const std::string&>()};
    }
    if (merge.is_string()) {
      const std::string_view text = merge.get_ref<const std::string&>();
      const std::size_t space = text.find(' ');
      if (space != text.npos && text.find(' ', space + 1) == text.npos) {
        return {text.substr(0, space), text.substr(space + 1)};
      }
    }
    refuse("merge " + std::to_string(file_.merges.size()) + " is " +
           brief(merge) + ", not \"left right\" or [\"left\", \"right\"]");
  }

  void added_tokens() {
    const Json* added = find_key(root_, "added_tokens");
    if (added == nullptr) return;
    if (!added->is_array()) refuse("added_tokens is not a list");
    std::vector<bool> named(file_.tokens.size() + added->size());
    for (const Json& entry : *added) {
      AddedToken token = added_token(entry);
      const auto at = static_cast<std::size_t>(token.id);
      if (at < named.size() && named[at]) {
        refuse("added token " + in_quotes(token.content) + " is there twice");
      }
      named[at] = true;
      file_.added.push_back(std::move(token));
    }
  }

  // One of vocab, or the next free id: Hugging Face numbers them so, whatever
  // the file says.
  AddedToken added_token(const Json& entry) {
    const Json* content = find_key(entry, "content");
    const Json* id = find_key(entry, "id");
    if (content == nullptr || !content->is_string() || *content == "" ||
        id == nullptr || !id->is_number_integer()) {
      refuse("added_tokens[" + std::to_string(file_.added.size()) +
             "] has no content or no id");
    }
    AddedToken token;
    token.content = content->get<std::string>();
    const std::string owner = "added token " + in_quotes(token.content);
    token.special = flag(entry, "special", owner);
    token.single_word = flag(entry, "single_word", owner);
    token.lstrip = flag(entry, "lstrip", owner);
    token.rstrip = flag(entry, "rstrip", owner);
    token.normalized = flag(entry, "normalized", owner);
    const auto [known, fresh] =
        ids_.try_emplace(content->get_ref<const std::string&>(),
                         static_cast<int32_t>(file_.tokens.size()));
    token.id = known->second;
    if (*id != token.id) {
      refuse(owner + " has id " + brief(*id) + " where " +
             std::to_string(token.id) + " is expected");
    }
    if (fresh) file_.tokens.push_back(token.content);
    return token;
  }

  void byte_ids() {
    for (int byte = 0; byte < 256; ++byte) {
      const auto entry = ids_.find(symbol_of_byte(static_cast<uint8_t>(byte)));
      const bool in_utf8 = byte < 0xc0 || (byte > 0xc1 && byte < 0xf5);
      if (entry == ids_.end() && in_utf8) {
        refuse("vocab has no token for byte " + std::to_string(byte) +
               ": text with it would be lost");
      }
      file_.byte_ids.push_back(entry == ids_.end() ? -1 : entry->second);
    }
  }

  const Json& root_;
  TokenizerFile file_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views of root_
};

}  // namespace

Result<TokenizerFile> read_tokenizer_file(std::string_view text,
                                          std::string_view name) {
  const auto wrong = [&](std::string_view what) {
    return failed(one_line(name, 500) + ": " + one_line(what, 400));
  };
  if (text.empty()) return wrong("the file is empty");
  try {
    const Json root = Json::parse(text);
    return Reader(root).read();
  } catch (const Json::parse_error& error) {
    return wrong("damaged or cut short; JSON ends to make sense at byte " +
                 std::to_string(error.byte) + " of " +
                 std::to_string(text.size()));
  } catch (const Json::exception& error) {
    return wrong(error.what());
  } catch (const FileError& error) {
    return wrong(error.what);
  }
}

}  // namespace evoke::model
