#include "evoke/proposers/llm/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <strings.h>

#include <mutex>
#include <string_view>

#include "evoke/base/utf8.h"

namespace evoke::llm {
namespace {

struct FreeHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, FreeHandle>;
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// What the callbacks of one transfer share.
struct Transfer {
  HttpReply reply;
  const Stop* stop = nullptr;
  bool too_large = false;
};

std::size_t take_body(char* data, std::size_t, std::size_t size, void* to) {
  auto& transfer = *static_cast<Transfer*>(to);
  if (transfer.reply.body.size() + size > HttpClient::kMaxReplyBytes) {
    transfer.too_large = true;
    return 0;
  }
  transfer.reply.body.append(data, size);
  return size;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* to) {
  auto& reply = static_cast<Transfer*>(to)->reply;
  const std::string_view line(data, size);
  const auto read = [&](std::string_view name, std::string& value) {
    if (line.size() <= name.size() || line[name.size()] != ':' ||
        ::strncasecmp(line.data(), name.data(), name.size()) != 0) {
      return;
    }
    const std::string_view rest = line.substr(name.size() + 1);
    const std::size_t first = rest.find_first_not_of(" \t");
    const std::size_t last = rest.find_last_not_of(" \t\r\n");
    value = first == rest.npos || last < first
                ? ""
                : std::string(rest.substr(first, last - first + 1));
  };
  if (line.starts_with("HTTP/")) {  // of another answer: 100 Continue
    reply.retry_after.clear();
    reply.date.clear();
  }
  read("retry-after", reply.retry_after);
  read("date", reply.date);
  return size;
}

int ask_stop(void* from, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const Stop& stop = *static_cast<Transfer*>(from)->stop;
  return stop && stop() ? 1 : 0;
}

HttpError::Kind kind_of(CURLcode code, CURL* handle) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return HttpError::Kind::untrusted;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
      return HttpError::Kind::cut_off;
    case CURLE_OPERATION_TIMEDOUT: {
      curl_off_t sent_us = 0;
      curl_easy_getinfo(handle, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
      return sent_us > 0 ? HttpError::Kind::timed_out
                         : HttpError::Kind::unreachable;
    }
    case CURLE_ABORTED_BY_CALLBACK:
      return HttpError::Kind::cancelled;
    case CURLE_WRITE_ERROR:
      return HttpError::Kind::too_large;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_FAILED_INIT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
      return HttpError::Kind::misuse;
    default:
      return HttpError::Kind::unreachable;
  }
}

long in_ms(double seconds) { return static_cast<long>(seconds * 1000); }

}  // namespace

// Handles that are not in use. Each keeps its connection.
class HttpClient::Handles {
 public:
  Handle take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return Handle(curl_easy_init());
    Handle handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
  }
  void give_back(Handle handle) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(handle));
  }

 private:
  std::mutex mutex_;
  std::vector<Handle> idle_;
};

HttpClient::HttpClient() : handles_(std::make_unique<Handles>()) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) {
    throw StartupError(
        fmt::format("[HttpClient::HttpClient] libcurl does not start: {}. "
                    "Usually its TLS library is broken.",
                    curl_easy_strerror(ready)));
  }
}
HttpClient::~HttpClient() = default;

tl::expected<HttpReply, HttpError> HttpClient::post(const HttpRequest& request,
                                                    const ApiKey& key,
                                                    const Stop& stop) {
  Handle handle = handles_->take();
  if (!handle) {
    return tl::unexpected<HttpError>(
        {HttpError::Kind::misuse, "libcurl gives no handle: out of memory"});
  }
  Transfer transfer;
  transfer.stop = &stop;
  char detail[CURL_ERROR_SIZE] = "";
  // "Expect:" empty: large bodies are sent at once.
  HeaderList headers;
  const auto add = [&](const std::string& line) {
    curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) return;
    (void)headers.release();
    headers.reset(longer);
  };
  add("Content-Type: application/json");
  add("Accept: application/json");
  add("Expect:");
  if (!key.empty()) add(key.header());

  CURL* const h = handle.get();
  curl_easy_reset(h);  // keeps the connection
  curl_easy_setopt(h, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h, CURLOPT_USERAGENT, "evoke");
  curl_easy_setopt(h, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(h, CURLOPT_POSTFIELDS, request.body.data());
  curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS,
                   in_ms(request.connect_timeout_s));
  curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, in_ms(request.timeout_s));
  curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(h, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(h, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, ask_stop);
  curl_easy_setopt(h, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(h, CURLOPT_ERRORBUFFER, detail);
  if (!request.ca_file.empty()) {
    curl_easy_setopt(h, CURLOPT_CAINFO, request.ca_file.c_str());
  }

  const CURLcode code = curl_easy_perform(h);
  if (code != CURLE_OK) {
    HttpError error{
        kind_of(code, h),
        one_line(*detail != '\0' ? detail : curl_easy_strerror(code))};
    if (transfer.too_large) {
      error.message =
          fmt::format("an answer of more than {} MiB", kMaxReplyBytes >> 20);
    }
    return tl::unexpected(std::move(error));  // with its connection closed
  }
  long status = 0;
  curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
  transfer.reply.status = static_cast<int>(status);
  curl_easy_reset(h);  // which forgets the key, too
  handles_->give_back(std::move(handle));
  return std::move(transfer.reply);
}

std::string libcurl_version() {
  return curl_version_info(CURLVERSION_NOW)->version;
}

}  // namespace evoke::llm
