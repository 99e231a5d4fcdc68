#include "evoke/model/tokenizer/json_part.h"

#include <algorithm>
#include <utility>

#include "evoke/base/utf8.h"

namespace evoke::model {

void refuse(std::string what) { throw FileError{std::move(what)}; }

std::string in_quotes(std::string_view text) {
  return "'" + one_line(text, 60) + "'";
}

std::string brief(const Json& value) {
  // What is nested may be deeper than dump() can follow.
  const bool nested =
      value.is_structured() &&
      std::any_of(value.begin(), value.end(),
                  [](const Json& part) { return part.is_structured(); });
  if (nested) return value.is_array() ? "a list" : "an object";
  return one_line(value.dump(-1, ' ', false, Json::error_handler_t::replace),
                  60);
}

const Json* find_key(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto entry = object.find(key);
  return entry == object.end() || entry->is_null() ? nullptr : &*entry;
}

std::string type_of(const Json* part) {
  if (part == nullptr) return "null";
  const Json* type = find_key(*part, "type");
  if (type == nullptr) return brief(*part) + " without type";
  return type->is_string() ? type->get<std::string>() : brief(*type);
}

bool flag(const Json& object, const char* key, const std::string& owner,
          std::optional<bool> otherwise) {
  const Json* value = find_key(object, key);
  if (value == nullptr && otherwise) return *otherwise;
  if (value == nullptr) refuse(owner + " does not say " + key);
  if (!value->is_boolean()) {
    refuse(owner + " has " + key + " " + brief(*value) + ", not true or false");
  }
  return value->get<bool>();
}

}  // namespace evoke::model
