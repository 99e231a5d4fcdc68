// The threadgroup memory of one thread: pages of its own, of which only as
// many can be touched as the calls of a run declare.
#pragma once

#include <cstddef>

namespace evoke::cpu {

class ThreadMemory {
 public:
  // Throws std::bad_alloc.
  explicit ThreadMemory(std::size_t bytes);
  ~ThreadMemory();
  ThreadMemory(ThreadMemory&& other) noexcept;
  ThreadMemory(const ThreadMemory&) = delete;
  ThreadMemory& operator=(const ThreadMemory&) = delete;
  ThreadMemory& operator=(ThreadMemory&&) = delete;

  std::byte* data() const { return data_; }
  // Makes the first `bytes`, in whole pages, the only ones that can be
  // touched. No thread may be using the memory.
  void open(std::size_t bytes);
  // Fills what is open with NaN.
  void poison() const;

 private:
  std::byte* base_ = nullptr;  // a page that nobody may touch, ...
  std::byte* data_ = nullptr;  // ... the memory, and such a page again
  std::size_t bytes_ = 0;      // whole pages
  std::size_t open_bytes_ = 0;
};

}  // namespace evoke::cpu
