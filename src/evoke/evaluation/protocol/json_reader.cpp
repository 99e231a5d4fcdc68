#include "evoke/evaluation/protocol/json_reader.h"

#include <utility>

#include "evoke/base/utf8.h"

namespace evoke::protocol {
namespace {

const Json kEmptyArray = Json::array();
const Json kEmptyObject = Json::object();

// Whether `json` is an integer that fits; CBOR has unsigned 64-bit ones too.
bool fits_int64(const Json& json) {
  if (json.is_number_unsigned()) {
    return json.get<uint64_t>() <= INT64_MAX;
  }
  return json.is_number_integer();
}

}  // namespace

JsonReader::JsonReader(const Json& json, std::string where)
    : json_(json), where_(std::move(where)) {
  if (!json.is_object()) error_ = where_ + ": expected an object";
}

void JsonReader::fail(const std::string& key, const std::string& what) {
  if (error_.empty()) error_ = where_ + "." + key + ": " + what;
}

const Json* JsonReader::find(const char* key) {
  if (!ok()) return nullptr;
  const auto found = json_.find(key);
  if (found != json_.end()) return &*found;
  fail(key, "missing");
  return nullptr;
}

int64_t JsonReader::integer(const char* key, int64_t low, int64_t high) {
  const Json* value = find(key);
  if (!value) return 0;
  if (!fits_int64(*value)) {
    fail(key, "expected an integer");
    return 0;
  }
  const auto number = value->get<int64_t>();
  if (number < low || number > high) {
    fail(key, std::to_string(number) + " is out of range");
    return 0;
  }
  return number;
}

bool JsonReader::has(const char* key) const {
  return ok() && json_.contains(key);
}

double JsonReader::number(const char* key) {
  const Json* value = find(key);
  if (!value) return 0;
  if (!value->is_number()) {
    fail(key, "expected a number");
    return 0;
  }
  return value->get<double>();
}

bool JsonReader::flag(const char* key) {
  const Json* value = find(key);
  if (!value) return false;
  if (!value->is_boolean()) {
    fail(key, "expected true or false");
    return false;
  }
  return value->get<bool>();
}

std::string JsonReader::text(const char* key) {
  const Json* value = find(key);
  if (!value) return {};
  if (!value->is_string()) {
    fail(key, "expected a text");
    return {};
  }
  return to_valid_utf8(value->get_ref<const std::string&>());
}

std::vector<std::byte> JsonReader::bytes(const char* key) {
  const Json* value = find(key);
  if (!value) return {};
  if (!value->is_binary()) {
    fail(key, "expected bytes");
    return {};
  }
  const Json::binary_t& binary = value->get_binary();
  const auto* data = reinterpret_cast<const std::byte*>(binary.data());
  return {data, data + binary.size()};
}

const Json& JsonReader::array(const char* key) {
  const Json* value = find(key);
  if (!value) return kEmptyArray;
  if (value->is_array()) return *value;
  fail(key, "expected an array");
  return kEmptyArray;
}

const Json& JsonReader::object(const char* key) {
  const Json* value = find(key);
  if (!value) return kEmptyObject;
  if (value->is_object()) return *value;
  fail(key, "expected an object");
  return kEmptyObject;
}

std::vector<int64_t> JsonReader::integers(const char* key) {
  std::vector<int64_t> values;
  for (const Json& each : array(key)) {
    if (!fits_int64(each)) {
      fail(key, "expected integers");
      return {};
    }
    values.push_back(each.get<int64_t>());
  }
  return values;
}

std::vector<int> JsonReader::indices(const char* key) {
  std::vector<int> values;
  for (const int64_t each : integers(key)) {
    if (each < 0 || each > std::numeric_limits<int>::max()) {
      fail(key, std::to_string(each) + " is out of range");
      return {};
    }
    values.push_back(static_cast<int>(each));
  }
  return values;
}

std::vector<std::string> JsonReader::texts(const char* key) {
  std::vector<std::string> values;
  for (const Json& each : array(key)) {
    if (!each.is_string()) {
      fail(key, "expected texts");
      return {};
    }
    values.push_back(to_valid_utf8(each.get_ref<const std::string&>()));
  }
  return values;
}

Json json_bytes(const std::vector<std::byte>& bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return Json::binary(std::vector<uint8_t>(data, data + bytes.size()));
}

}  // namespace evoke::protocol
