// Whole messages over one stream socket: a frame is "evk1", the payload's
// size as 32-bit little endian, then CBOR. Descriptors travel beside the first
// byte of a frame where the socket can carry them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"
#include "evoke/base/json.h"

namespace evoke::protocol {

inline constexpr std::size_t kMaxMessageBytes = std::size_t{96} << 20;
inline constexpr std::size_t kMaxDescriptors = 4;  // with one message
// Large data without shared memory goes in pieces of at most this size.
inline constexpr std::size_t kMaxInlineBytes = std::size_t{16} << 20;

struct Message {
  Json body;
  std::vector<Fd> descriptors;
};

class Channel {
 public:
  explicit Channel(Fd socket);

  // Both ends of a new connection.
  static Result<std::pair<Channel, Channel>> make_pair();

  // Errors of both: `timed_out` (the stream is then out of step and must be
  // closed), `absent` when the other side closed between two messages, and
  // `failed`. Negative: waits for ever.
  Result<void> send(const Json& body, std::span<const int> descriptors = {},
                    int64_t timeout_ms = -1);
  Result<Message> receive(int64_t timeout_ms = -1);
  // Whether receive() would find something within `timeout_ms`.
  bool wait_readable(int64_t timeout_ms) const;
  // Looks for the next message again and again for up to `spin_us` before
  // receive() sleeps: a reader that is awake answers sooner.
  void set_spin_us(int64_t spin_us) { spin_us_ = spin_us; }

  int fd() const { return socket_.get(); }
  void close() { socket_.close(); }

 private:
  Result<void> read_exactly(std::span<std::byte> bytes, int64_t deadline_ns,
                            std::vector<Fd>* descriptors, bool at_start);
  Fd socket_;
  int64_t spin_us_ = 0;
};

}  // namespace evoke::protocol
