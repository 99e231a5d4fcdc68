#include "evoke/devices/cpu/thread_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace evoke::cpu {
namespace {

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
}

}  // namespace

ThreadMemory::ThreadMemory(std::size_t bytes) : bytes_(whole_pages(bytes)) {
  void* const memory =
      ::mmap(nullptr, bytes_ + 2 * page_bytes(), PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS, /*fd=*/-1, /*offset=*/0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  base_ = static_cast<std::byte*>(memory);
  data_ = base_ + page_bytes();
  // Pages that are there already cost no fault later.
  open(bytes_);
  poison();
  open(0);
}

ThreadMemory::~ThreadMemory() {
  if (base_ != nullptr) ::munmap(base_, bytes_ + 2 * page_bytes());
}

ThreadMemory::ThreadMemory(ThreadMemory&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      open_bytes_(std::exchange(other.open_bytes_, 0)) {}

void ThreadMemory::open(std::size_t bytes) {
  const std::size_t wanted = std::min(whole_pages(bytes), bytes_);
  const std::size_t first = std::min(wanted, open_bytes_);
  const std::size_t last = std::max(wanted, open_bytes_);
  if (first == last) return;
  const int protection =
      wanted > open_bytes_ ? PROT_READ | PROT_WRITE : PROT_NONE;
  if (::mprotect(data_ + first, last - first, protection) != 0) {
    throw std::bad_alloc();
  }
  open_bytes_ = wanted;
}

void ThreadMemory::poison() const { std::memset(data_, 0xff, open_bytes_); }

}  // namespace evoke::cpu
