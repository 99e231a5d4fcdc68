// An owned file descriptor, and whole reads and writes on one.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "evoke/base/error.h"

namespace evoke {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void close();

 private:
  int fd_ = -1;
};

// Writes all of `bytes`, through short writes and EINTR.
Result<void> write_all(int fd, std::span<const std::byte> bytes);
// Reads the whole file at `path`; `absent` when it does not exist.
Result<std::string> read_file(const std::string& path);

}  // namespace evoke
