// A real HTTP/1.1 server on 127.0.0.1 for tests, which answers as a script
// says: well, or with one of the faults that services show.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"

namespace evoke::llm::test {

struct ServiceRequest {
  std::string line;                            // "POST /v1/... HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  Json json() const { return Json::parse(body); }
};

struct ServiceReply {
  enum class Fault {
    none,
    half_body,  // announces more bytes than it sends
    reset,      // RST instead of an answer
    no_answer   // closes without a word
  };
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  Fault fault = Fault::none;
  int delay_ms = 0;  // before the first byte
};

class LocalService {
 public:
  // `number`: 0, 1, ... in order of arrival. Called from several threads.
  using Script =
      std::function<ServiceReply(const ServiceRequest& request, int number)>;

  // `keep`: whether requests() will be asked for.
  explicit LocalService(Script script, bool keep = true);
  ~LocalService();
  LocalService(const LocalService&) = delete;
  LocalService& operator=(const LocalService&) = delete;

  std::string base_url() const;
  std::vector<ServiceRequest> requests() const;
  int count() const { return static_cast<int>(requests().size()); }

 private:
  void accept_all();
  void serve(int socket);
  bool answer(int socket, const ServiceReply& reply) const;

  Script script_;
  const bool keep_;
  Fd listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  bool closing_ = false;
  int count_ = 0;
  std::vector<ServiceRequest> requests_;
  std::vector<int> sockets_;  // open; each belongs to its thread
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// A successful answer with this text.
ServiceReply says(const std::string& text, int64_t prompt_tokens = 100,
                  int64_t completion_tokens = 20);
ServiceReply complains(int status, const std::string& message,
                       const std::string& code = "");

}  // namespace evoke::llm::test
