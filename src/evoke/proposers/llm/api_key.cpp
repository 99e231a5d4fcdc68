#include "evoke/proposers/llm/api_key.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "evoke/base/fd.h"

namespace evoke::llm {
namespace {

constexpr std::size_t kShortestSecret = 8;
constexpr std::size_t kLongest = 4096;

}  // namespace

Result<ApiKey> ApiKey::checked(std::string value, std::string origin) {
  // Anything else would end the header, or need escapes in JSON that hide_in
  // would not find.
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
  });
  if (!plain || value.size() > kLongest) {
    return failed(fmt::format(
        "{}: does not hold a key; a key is one word of printable ASCII",
        origin));
  }
  ApiKey key;
  key.value_ = std::move(value);
  key.origin_ = std::move(origin);
  return key;
}

Result<ApiKey> ApiKey::from_environment(const std::string& variable) {
  const char* const value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    return absent(
        fmt::format("{} is not set; export it, or name a key file", variable));
  }
  return checked(value, variable);
}

Result<ApiKey> ApiKey::from_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return absent(fmt::format("{}: no such key file", path));
  }
  if ((status.st_mode & 077) != 0) {
    return failed(fmt::format(
        "{}: others may read this key file; chmod 600 it first", path));
  }
  auto text = read_file(path);
  if (!text) return error_of(text);
  text->erase(std::min(text->find_first_of("\r\n"), text->size()));
  if (text->empty()) {
    return failed(fmt::format("{}: its first line holds no key", path));
  }
  return checked(*std::move(text), path);
}

void ApiKey::hide_in(std::string& text) const {
  if (value_.size() < kShortestSecret) return;
  for (std::size_t at = text.find(value_); at != text.npos;
       at = text.find(value_, at)) {
    text.replace(at, value_.size(), "[key]");
  }
}

}  // namespace evoke::llm
