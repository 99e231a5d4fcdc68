#include "evoke/evaluation/protocol/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "evoke/base/clock.h"
#include "evoke/evaluation/protocol/cbor.h"

namespace evoke::protocol {
namespace {

constexpr std::array<char, 4> kMagic{'e', 'v', 'k', '1'};
constexpr std::size_t kHeaderBytes = 8;

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;
#endif
#ifdef MSG_CMSG_CLOEXEC
constexpr int kReceiveFlags = MSG_CMSG_CLOEXEC;
#else
constexpr int kReceiveFlags = 0;
#endif

struct ControlBuffer {
  alignas(cmsghdr)
      std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> bytes{};
};

int64_t deadline_of(int64_t timeout_ms) {
  return timeout_ms < 0 ? -1 : monotonic_ns() + timeout_ms * 1'000'000;
}

// False once the deadline has passed first.
bool wait_for(int fd, short events, int64_t deadline_ns) {
  for (;;) {
    int timeout_ms = -1;
    if (deadline_ns >= 0) {
      const int64_t left_ns = deadline_ns - monotonic_ns();
      timeout_ms = static_cast<int>(
          std::clamp<int64_t>((left_ns + 999'999) / 1'000'000, 0, 60'000));
      if (left_ns <= 0) timeout_ms = 0;
    }
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, timeout_ms);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // the call itself will say
    if (deadline_ns >= 0 && monotonic_ns() >= deadline_ns) return false;
  }
}

void take_descriptors(msghdr& header, std::vector<Fd>& descriptors) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(fd);
    }
  }
}

std::string errno_text() { return std::strerror(errno); }

}  // namespace

Channel::Channel(Fd socket) : socket_(std::move(socket)) {}

Result<std::pair<Channel, Channel>> Channel::make_pair() {
  std::array<int, 2> ends{-1, -1};
#ifdef SOCK_CLOEXEC
  constexpr int kType = SOCK_STREAM | SOCK_CLOEXEC;
#else
  constexpr int kType = SOCK_STREAM;
#endif
  if (::socketpair(AF_UNIX, kType, 0, ends.data()) != 0) {
    return failed("socketpair: " + errno_text());
  }
  return std::pair<Channel, Channel>{Channel(Fd(ends[0])),
                                     Channel(Fd(ends[1]))};
}

Result<void> Channel::send(const Json& body, std::span<const int> descriptors,
                           int64_t timeout_ms) {
  const std::vector<std::byte> payload = encode_cbor(body);
  if (payload.size() > kMaxMessageBytes) {
    return failed("a message of " + std::to_string(payload.size()) +
                  " bytes is larger than the protocol allows");
  }
  if (descriptors.size() > kMaxDescriptors) {
    return failed("too many descriptors for one message");
  }
  std::array<std::byte, kHeaderBytes> head{};
  std::memcpy(head.data(), kMagic.data(), kMagic.size());
  for (std::size_t i = 0; i < 4; ++i) {
    head[4 + i] = static_cast<std::byte>(payload.size() >> (8 * i) & 0xFF);
  }

  const int64_t deadline_ns = deadline_of(timeout_ms);
  const std::size_t total = head.size() + payload.size();
  std::size_t sent = 0;
  while (sent < total) {
    std::array<iovec, 2> parts{};
    const std::size_t of_head = std::min(sent, head.size());
    const std::size_t of_payload = sent - of_head;
    parts[0] = {head.data() + of_head, head.size() - of_head};
    parts[1] = {const_cast<std::byte*>(payload.data()) + of_payload,
                payload.size() - of_payload};
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
    ControlBuffer control;
    if (sent == 0 && !descriptors.empty()) {
      const std::size_t bytes = descriptors.size() * sizeof(int);
      header.msg_control = control.bytes.data();
      header.msg_controllen = CMSG_SPACE(bytes);
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(bytes);
      std::memcpy(CMSG_DATA(rights), descriptors.data(), bytes);
    }
    const ssize_t n =
        ::sendmsg(socket_.get(), &header, kSendFlags | MSG_DONTWAIT);
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) return absent("closed");
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      return failed("send: " + errno_text());
    }
    if (!wait_for(socket_.get(), POLLOUT, deadline_ns)) {
      return timed_out("send: the other side does not read");
    }
  }
  return {};
}

Result<void> Channel::read_exactly(std::span<std::byte> bytes,
                                   int64_t deadline_ns,
                                   std::vector<Fd>* descriptors,
                                   bool at_start) {
  const int64_t spin_until_ns =
      at_start && spin_us_ > 0 ? monotonic_ns() + spin_us_ * 1000 : 0;
  std::size_t done = 0;
  while (done < bytes.size()) {
    iovec part{bytes.data() + done, bytes.size() - done};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    ControlBuffer control;
    if (descriptors) {
      header.msg_control = control.bytes.data();
      header.msg_controllen = control.bytes.size();
    }
    const ssize_t n =
        ::recvmsg(socket_.get(), &header, kReceiveFlags | MSG_DONTWAIT);
    if (n > 0) {
      if (descriptors) take_descriptors(header, *descriptors);
      if ((header.msg_flags & MSG_CTRUNC) != 0) {
        return failed("receive: too many descriptors with one message");
      }
      done += static_cast<std::size_t>(n);
      continue;
    }
    if (n == 0 || errno == ECONNRESET) {
      if (at_start && done == 0) return absent("closed");
      return failed("receive: closed in the middle of a message");
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      return failed("receive: " + errno_text());
    }
    if (done == 0 && spin_until_ns != 0 && monotonic_ns() < spin_until_ns) {
      continue;
    }
    if (!wait_for(socket_.get(), POLLIN, deadline_ns)) {
      return timed_out("receive: no answer in time");
    }
  }
  return {};
}

Result<Message> Channel::receive(int64_t timeout_ms) {
  const int64_t deadline_ns = deadline_of(timeout_ms);
  Message message;
  std::array<std::byte, kHeaderBytes> head{};
  if (auto read = read_exactly(head, deadline_ns, &message.descriptors,
                               /*at_start=*/true);
      !read) {
    return error_of(read);
  }
  if (std::memcmp(head.data(), kMagic.data(), kMagic.size()) != 0) {
    return failed("receive: not a message of this protocol");
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    size |= std::to_integer<std::size_t>(head[4 + i]) << (8 * i);
  }
  if (size > kMaxMessageBytes) {
    return failed("receive: a message of " + std::to_string(size) +
                  " bytes is larger than the protocol allows");
  }
  // Grows with what really arrives: a size alone allocates nothing.
  constexpr std::size_t kStep = std::size_t{1} << 20;
  std::vector<std::byte> payload;
  while (payload.size() < size) {
    const std::size_t done = payload.size();
    payload.resize(std::min(size, done + std::max(kStep, done)));
    if (auto read = read_exactly(std::span(payload).subspan(done), deadline_ns,
                                 nullptr, /*at_start=*/false);
        !read) {
      return error_of(read);
    }
  }
  auto body = decode_cbor(payload);
  if (!body) return error_of(body);
  message.body = std::move(*body);
  return message;
}

bool Channel::wait_readable(int64_t timeout_ms) const {
  return wait_for(socket_.get(), POLLIN, deadline_of(timeout_ms));
}

}  // namespace evoke::protocol
