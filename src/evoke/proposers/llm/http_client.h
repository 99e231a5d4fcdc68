// POST requests over libcurl. Connections are kept and reused; redirects are
// not followed, for they would carry the key elsewhere.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "evoke/proposers/llm/api_key.h"
#include "evoke/proposers/llm/chat_client.h"

namespace evoke::llm {

struct HttpRequest {
  std::string url;
  std::string body;  // JSON
  double connect_timeout_s = 10;
  double timeout_s = 300;  // of the whole answer
  std::string ca_file;     // empty: the system's certificates
};

struct HttpReply {
  int status = 0;
  std::string body;
  std::string retry_after;  // the header's value; empty: none
  std::string date;
};

struct HttpError {
  enum class Kind {
    unreachable,  // no connection
    untrusted,    // the certificate does not hold
    cut_off,      // the connection ended before the answer did
    timed_out,
    too_large,
    cancelled,
    misuse  // the URL or the set-up is wrong
  };
  Kind kind = Kind::unreachable;
  std::string message;  // one line
};

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  static constexpr std::size_t kMaxReplyBytes = 16 << 20;

  // Thread-safe. `stop` is asked about once a second.
  tl::expected<HttpReply, HttpError> post(const HttpRequest& request,
                                          const ApiKey& key, const Stop& stop);

 private:
  class Handles;
  std::unique_ptr<Handles> handles_;
};

// "1.2.3", for the line that `evoke doctor` prints.
std::string libcurl_version();

}  // namespace evoke::llm
