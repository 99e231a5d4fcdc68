#include "evoke/devices/cuda/nvrtc_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/fd.h"

namespace evoke::cuda {
namespace {

// The child's reply: a header, then log, PTX and cubin one after another.
struct ReplyHeader {
  int64_t status = 0;
  std::array<uint64_t, 3> bytes{};
};
constexpr uint64_t kMaxReplyBytes = uint64_t{256} << 20;

void limit(__rlimit_resource resource, int64_t value) {
  const auto bound = static_cast<rlim_t>(value);
  const rlimit both{bound, bound};
  ::setrlimit(resource, &both);
}

bool write_all(int fd, const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd, at, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

[[noreturn]] void run_child(const Nvrtc& nvrtc, const NvrtcRequest& request,
                            const NvrtcLimits& limits, int fd) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, limits.time_ms / 1000 + 2);
#if !defined(EVOKE_ASAN) && !defined(EVOKE_TSAN)
  // (Sanitizers map far more than they use.)
  limit(RLIMIT_DATA, limits.memory_bytes);
#endif
  const NvrtcReply reply = compile_here(nvrtc, request);
  ReplyHeader header;
  header.status = reply.status;
  header.bytes = {reply.log.size(), reply.ptx.size(), reply.cubin.size()};
  const bool sent = write_all(fd, &header, sizeof(header)) &&
                    write_all(fd, reply.log.data(), reply.log.size()) &&
                    write_all(fd, reply.ptx.data(), reply.ptx.size()) &&
                    write_all(fd, reply.cubin.data(), reply.cubin.size());
  ::_exit(sent ? 0 : 1);
}

// Everything until the other end closes. `timed_out` at the deadline.
Result<std::string> read_until_closed(int fd, int64_t deadline_ns) {
  std::string text;
  std::array<char, 65536> part{};
  for (;;) {
    const int64_t left_ms = (deadline_ns - monotonic_ns()) / 1'000'000;
    if (left_ms <= 0) return timed_out("no reply in time");
    pollfd waiting{fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left_ms));
    if (ready < 0 && errno != EINTR) return failed(std::strerror(errno));
    if (ready <= 0) continue;
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(std::strerror(errno));
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
    if (text.size() > kMaxReplyBytes) return failed("too long a reply");
  }
}

Result<NvrtcReply> parse(const std::string& text) {
  ReplyHeader header;
  if (text.size() < sizeof(header)) return failed("no reply");
  std::memcpy(&header, text.data(), sizeof(header));
  std::size_t at = sizeof(header);
  const auto take = [&](uint64_t bytes) {
    const std::size_t begin = at;
    at += static_cast<std::size_t>(
        std::min<uint64_t>(bytes, text.size() - begin));
    return text.substr(begin, at - begin);
  };
  NvrtcReply reply;
  reply.status = static_cast<int>(header.status);
  reply.log = take(header.bytes[0]);
  reply.ptx = take(header.bytes[1]);
  const std::string cubin = take(header.bytes[2]);
  if (cubin.size() != header.bytes[2]) return failed("half a reply");
  const auto* const bytes = reinterpret_cast<const std::byte*>(cubin.data());
  reply.cubin.assign(bytes, bytes + cubin.size());
  return reply;
}

}  // namespace

NvrtcReply compile_here(const Nvrtc& nvrtc, const NvrtcRequest& request) {
  NvrtcReply reply;
  std::vector<const char*> names;
  std::vector<const char*> texts;
  for (const NvrtcRequest::Header& header : request.headers) {
    names.push_back(header.name);
    texts.push_back(header.text);
  }
  NvrtcProgram program = nullptr;
  reply.status =
      nvrtc.create(&program, request.source.c_str(), request.name.c_str(),
                   static_cast<int>(names.size()), texts.data(), names.data());
  if (reply.status != 0) return reply;
  std::vector<const char*> options;
  for (const std::string& each : request.options) {
    options.push_back(each.c_str());
  }
  reply.status =
      nvrtc.compile(program, static_cast<int>(options.size()), options.data());
  // Sizes count the NUL at the end of texts.
  const auto text_of = [&](auto size_of_text, auto get) {
    std::size_t bytes = 0;
    if (size_of_text(program, &bytes) != 0 || bytes == 0) return std::string();
    std::string text(bytes, '\0');
    if (get(program, text.data()) != 0) return std::string();
    text.resize(std::strlen(text.c_str()));
    return text;
  };
  reply.log = text_of(nvrtc.log_size, nvrtc.log);
  if (reply.status == 0) {
    reply.ptx = text_of(nvrtc.ptx_size, nvrtc.ptx);
    std::size_t bytes = 0;
    reply.status = nvrtc.cubin_size(program, &bytes);
    reply.cubin.resize(bytes);
    if (reply.status == 0) {
      reply.status =
          nvrtc.cubin(program, reinterpret_cast<char*>(reply.cubin.data()));
    }
  }
  nvrtc.destroy(&program);
  return reply;
}

Result<NvrtcReply> compile_apart(const Nvrtc& nvrtc,
                                 const NvrtcRequest& request,
                                 const NvrtcLimits& limits) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return failed(std::string("no pipe: ") + std::strerror(errno));
  }
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  const int64_t deadline_ns = monotonic_ns() + limits.time_ms * 1'000'000;
  const pid_t child = ::fork();
  if (child < 0) {
    return failed(std::string("no process for the compiler: ") +
                  std::strerror(errno));
  }
  if (child == 0) run_child(nvrtc, request, limits, writing.get());
  writing = Fd();
  auto text = read_until_closed(reading.get(), deadline_ns);
  if (!text) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string seconds = std::to_string(limits.time_ms / 1000);
  if (!text) {
    if (text.error().kind != ErrorKind::timed_out) return error_of(text);
    return timed_out("the compiler was stopped after " + seconds + " seconds");
  }
  if (WIFSIGNALED(status)) {
    if (WTERMSIG(status) == SIGXCPU) {
      return timed_out("the compiler was stopped after " + seconds +
                       " seconds");
    }
    return failed(std::string("the compiler itself was ended: ") +
                  ::strsignal(WTERMSIG(status)));
  }
  auto reply = parse(*text);
  if (reply && reply->status == kNvrtcOutOfMemory) {
    return timed_out("the compiler ran out of its " +
                     std::to_string(limits.memory_bytes >> 20) +
                     " MB of memory");
  }
  return reply;
}

}  // namespace evoke::cuda
