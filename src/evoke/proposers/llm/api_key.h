// The key of a service. It enters one HTTP header (http_client.cpp) and
// nothing else: it cannot be printed, and is blotted out of every text that
// comes from outside.
#pragma once

#include <string>
#include <utility>

#include "evoke/base/error.h"

namespace evoke::llm {

class ApiKey {
 public:
  ApiKey() = default;  // none: for services that ask for none
  // From an environment variable. `absent`: not set, or empty.
  static Result<ApiKey> from_environment(const std::string& variable);
  // The first line of a file that only its owner may read (mode 600 or 400).
  static Result<ApiKey> from_file(const std::string& path);

  bool empty() const { return value_.empty(); }
  // Where it comes from, for messages: a variable's name or a path.
  const std::string& origin() const { return origin_; }
  // "Authorization: Bearer ...", for the one request it is meant for.
  std::string header() const { return "Authorization: Bearer " + value_; }
  // Replaces every occurrence. Keys shorter than 8 letters ("none", for local
  // services) are no secrets and stay.
  void hide_in(std::string& text) const;

 private:
  static Result<ApiKey> checked(std::string value, std::string origin);
  std::string value_;
  std::string origin_;
};

}  // namespace evoke::llm
