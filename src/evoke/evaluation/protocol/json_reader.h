// Typed access to the members of one JSON object that nobody vouches for.
// The first thing that is wrong is kept: "prepare.calls[3]: expected ...".
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"

namespace evoke::protocol {

class JsonReader {
 public:
  JsonReader(const Json& json, std::string where);

  // Each gives a value of its type, an empty one once anything was wrong.
  int64_t integer(const char* key,
                  int64_t low = std::numeric_limits<int64_t>::min(),
                  int64_t high = std::numeric_limits<int64_t>::max());
  int index(const char* key) {
    return static_cast<int>(integer(key, 0, std::numeric_limits<int>::max()));
  }
  // Whether there is such a member, for those that may be missing.
  bool has(const char* key) const;
  double number(const char* key);
  bool flag(const char* key);
  std::string text(const char* key);  // made valid UTF-8
  std::vector<std::byte> bytes(const char* key);
  const Json& array(const char* key);
  const Json& object(const char* key);
  std::vector<int64_t> integers(const char* key);
  std::vector<int> indices(const char* key);
  std::vector<std::string> texts(const char* key);

  const std::string& where() const { return where_; }
  bool ok() const { return error_.empty(); }
  void fail(const std::string& key, const std::string& what);
  // Takes over the error of a part.
  template <typename T>
  T take(Result<T> part) {
    if (part) return std::move(*part);
    if (error_.empty()) error_ = part.error().message;
    return T{};
  }
  template <typename T>
  Result<T> finish(T value) const {
    if (!error_.empty()) return failed(error_);
    return value;
  }

 private:
  const Json* find(const char* key);
  const Json& json_;
  std::string where_;
  std::string error_;
};

Json json_bytes(const std::vector<std::byte>& bytes);

}  // namespace evoke::protocol
