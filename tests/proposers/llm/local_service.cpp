#include "tests/proposers/llm/local_service.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <optional>
#include <stdexcept>

namespace evoke::llm::test {
namespace {

// One request from the stream; what follows it stays in `buffer`.
std::optional<ServiceRequest> read_request(int socket, std::string& buffer) {
  const auto more = [&] {
    char bytes[16 * 1024];
    const ssize_t size = ::recv(socket, bytes, sizeof bytes, 0);
    if (size > 0) buffer.append(bytes, static_cast<std::size_t>(size));
    return size > 0;
  };
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == buffer.npos) {
    if (!more()) return std::nullopt;
  }
  ServiceRequest request;
  std::size_t at = buffer.find("\r\n");
  request.line = buffer.substr(0, at);
  while (at < end) {
    const std::size_t first = at + 2;
    at = buffer.find("\r\n", first);
    const std::string line = buffer.substr(first, at - first);
    const std::size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    request.headers[name] = value == line.npos ? "" : line.substr(value);
  }
  std::size_t length = 0;
  if (request.headers.contains("content-length")) {
    length = std::stoul(request.headers["content-length"]);
  }
  while (buffer.size() < end + 4 + length) {
    if (!more()) return std::nullopt;
  }
  request.body = buffer.substr(end + 4, length);
  buffer.erase(0, end + 4 + length);
  return request;
}

bool send_all(int socket, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t size =
        ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) return false;
    sent += static_cast<std::size_t>(size);
  }
  return true;
}

}  // namespace

LocalService::LocalService(Script script, bool keep)
    : script_(std::move(script)),
      keep_(keep),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), any, size) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), any, &size) != 0) {
    throw std::runtime_error("no local server");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

LocalService::~LocalService() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
}

std::string LocalService::base_url() const {
  return fmt::format("http://127.0.0.1:{}/v1", port_);
}

std::vector<ServiceRequest> LocalService::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void LocalService::accept_all() {
  while (true) {
    const int socket =
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const std::lock_guard lock(mutex_);
    if (closing_) {
      ::close(socket);
      return;
    }
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] { serve(socket); });
  }
}

void LocalService::serve(int socket) {
  std::string buffer;
  while (auto request = read_request(socket, buffer)) {
    int number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = count_++;
      if (keep_) requests_.push_back(*request);
    }
    if (!answer(socket, script_(*request, number))) break;
  }
  const std::lock_guard lock(mutex_);
  std::erase(sockets_, socket);
  ::close(socket);
}

// Returns whether the connection goes on.
bool LocalService::answer(int socket, const ServiceReply& reply) const {
  for (int waited = 0; waited < reply.delay_ms; waited += 10) {
    {
      const std::lock_guard lock(mutex_);
      if (closing_) return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  using Fault = ServiceReply::Fault;
  if (reply.fault == Fault::no_answer) return false;
  if (reply.fault == Fault::reset) {
    const linger at_once{1, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return false;
  }
  std::string text = fmt::format("HTTP/1.1 {} Word\r\n", reply.status);
  for (const auto& [name, value] : reply.headers) {
    text += fmt::format("{}: {}\r\n", name, value);
  }
  const bool half = reply.fault == Fault::half_body;
  text += fmt::format("Content-Length: {}\r\n\r\n", reply.body.size());
  text += half ? reply.body.substr(0, reply.body.size() / 2) : reply.body;
  return send_all(socket, text) && !half;
}

ServiceReply says(const std::string& text, int64_t prompt_tokens,
                  int64_t completion_tokens) {
  const Json body = {{"model", "test-model-1"},
                     {"choices",
                      {{{"message", {{"role", "assistant"}, {"content", text}}},
                        {"finish_reason", "stop"}}}},
                     {"usage",
                      {{"prompt_tokens", prompt_tokens},
                       {"completion_tokens", completion_tokens}}}};
  return {.body = body.dump()};
}

ServiceReply complains(int status, const std::string& message,
                       const std::string& code) {
  const Json body = {{"error", {{"message", message}, {"code", code}}}};
  return {.status = status, .body = body.dump()};
}

}  // namespace evoke::llm::test
