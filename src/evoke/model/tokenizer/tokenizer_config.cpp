#include "evoke/model/tokenizer/tokenizer_config.h"

#include <string_view>
#include <utility>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/base/utf8.h"

namespace evoke::model {
namespace {

// The file's text; "" when there is no such file.
Result<std::string> read_if_there(const std::filesystem::path& path) {
  auto text = read_file(path.string());
  if (!text && text.error().kind == ErrorKind::absent) return std::string();
  return text;
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
  const auto text = read_if_there(path);
  if (!text) return error_of(text);
  TokenizerConfig result;
  if (!text->empty() || std::filesystem::exists(path)) {
    const Json config = Json::parse(*text, nullptr, false);
    if (!config.is_object()) {
      return failed(one_line(path.string(), 500) +
                    ": damaged or cut short: not a JSON object");
    }
    result.eos_token = token_of(config, "eos_token");
    result.chat_template = template_of(config);
  }
  auto own_file = read_if_there(model_folder / "chat_template.jinja");
  if (!own_file) return error_of(own_file);
  if (!own_file->empty()) result.chat_template = *std::move(own_file);
  return result;
}

}  // namespace evoke::model
