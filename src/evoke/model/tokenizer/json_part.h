// Looking into a JSON file of which each fault is one line: the first one is
// thrown, and caught where the file's name is known.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "evoke/base/json.h"

namespace evoke::model {

struct FileError {
  std::string what;
};
[[noreturn]] void refuse(std::string what);

// Short enough for a message.
std::string in_quotes(std::string_view text);
std::string brief(const Json& value);

// Null when the key is not there, is null, or `object` is not an object.
const Json* find_key(const Json& object, const char* key);

// What stands under "type"; says so when there is none.
std::string type_of(const Json* part);

// `otherwise`: for a key that is not there; without it, that is an error.
bool flag(const Json& object, const char* key, const std::string& owner,
          std::optional<bool> otherwise = std::nullopt);

}  // namespace evoke::model
