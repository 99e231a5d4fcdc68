#include "evoke/model/tokenizer/tokenizer_config.h"

#include <string_view>
#include <utility>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/base/utf8.h"

namespace evoke::model {
namespace {

bool is_absent(const Result<std::string>& text) {
  return !text && text.error().kind == ErrorKind::absent;
}

// The first key that is there with a type that transformers never writes; ""
// if there is none.
std::string find_wrong_type(const Json& config) {
  for (const auto& [key, other_type] :
       {std::pair("eos_token", Json::value_t::object),
        std::pair("chat_template", Json::value_t::array)}) {
    const auto entry = config.find(key);
    if (entry != config.end() && !entry->is_null() && !entry->is_string() &&
        entry->type() != other_type) {
      return key;
    }
  }
  return "";
}

std::string text_of(const Json& object, const char* key) {
  const auto entry = object.find(key);
  return entry != object.end() && entry->is_string() ? entry->get<std::string>()
                                                     : std::string();
}

// A token is written as its text, or as an object that describes it.
std::string token_of(const Json& config, const char* key) {
  const auto entry = config.find(key);
  return entry != config.end() && entry->is_object()
             ? text_of(*entry, "content")
             : text_of(config, key);
}

std::string template_of(const Json& config) {
  const auto entry = config.find("chat_template");
  if (entry == config.end() || !entry->is_array()) {
    return text_of(config, "chat_template");
  }
  for (const Json& named : *entry) {
    if (named.is_object() && text_of(named, "name") == "default") {
      return text_of(named, "template");
    }
  }
  return "";
}

}  // namespace

Result<TokenizerConfig> read_tokenizer_config(
    const std::filesystem::path& model_folder) {
  const auto path = model_folder / "tokenizer_config.json";
  const auto text = read_file(path.string());
  if (!text && !is_absent(text)) return error_of(text);
  TokenizerConfig result;
  if (text) {
    const Json config = Json::parse(*text, nullptr, false);
    if (!config.is_object()) {
      return failed(one_line(path.string(), 500) +
                    ": damaged or cut short: not a JSON object");
    }
    const std::string wrong = find_wrong_type(config);
    if (!wrong.empty()) {
      return failed(one_line(path.string(), 500) + ": " + wrong +
                    " is not a text");
    }
    result.eos_token = token_of(config, "eos_token");
    result.chat_template = template_of(config);
  }
  auto own_file = read_file((model_folder / "chat_template.jinja").string());
  if (!own_file && !is_absent(own_file)) return error_of(own_file);
  if (own_file && !own_file->empty()) {
    result.chat_template = *std::move(own_file);
  }
  return result;
}

}  // namespace evoke::model
