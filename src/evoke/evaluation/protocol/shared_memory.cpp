#include "evoke/evaluation/protocol/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#ifdef __linux__
#include <linux/memfd.h>
#include <sys/syscall.h>
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif
#ifndef F_SEAL_SEAL
#define F_SEAL_SEAL 0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW 0x0004
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#endif

namespace evoke::protocol {
namespace {

tl::unexpected<Error> fail(const std::string& what, int64_t bytes) {
  return failed("shared memory of " + std::to_string(bytes) +
                " bytes: " + what + ": " + std::strerror(errno));
}

#ifdef __linux__
Fd create_file() {
  return Fd(static_cast<int>(
      ::syscall(SYS_memfd_create, "evoke", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
}
#else
Fd create_file() {
  static std::atomic<int> number{0};
  const std::string name = "/evoke-" + std::to_string(::getpid()) + "-" +
                           std::to_string(number.fetch_add(1));
  Fd fd(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  if (fd.valid()) ::shm_unlink(name.c_str());
  return fd;
}
#endif

}  // namespace

MappedMemory::MappedMemory(MappedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedMemory& MappedMemory::operator=(MappedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedMemory::~MappedMemory() {
  if (data_) ::munmap(data_, size_);
}

Result<MappedMemory> MappedMemory::anonymous(int64_t bytes) {
  void* data =
      ::mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return fail("mmap", bytes);
  MappedMemory memory;
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_ = static_cast<std::size_t>(bytes);
  return memory;
}

Result<MappedMemory> MappedMemory::map(int fd, int64_t bytes, bool writable) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size < bytes) return fail("the file is shorter", bytes);
  void* data =
      ::mmap(nullptr, static_cast<std::size_t>(bytes),
             writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return fail("mmap", bytes);
  MappedMemory memory;
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_ = static_cast<std::size_t>(bytes);
  return memory;
}

Result<void> MappedMemory::set_writable(std::size_t offset, std::size_t bytes,
                                        bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  if (::mprotect(data_ + offset, bytes, protection) != 0) {
    return fail("mprotect", static_cast<int64_t>(bytes));
  }
  return {};
}

void MappedMemory::populate(bool writable) {
#if defined(MADV_POPULATE_READ) && defined(MADV_POPULATE_WRITE)
  // An error (an old kernel) costs time, not truth.
  (void)::madvise(data_, size_,
                  writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
#else
  (void)writable;
#endif
}

Result<SharedMemory> SharedMemory::create(int64_t bytes,
                                          bool read_only_for_others) {
  if (bytes <= 0) return failed("shared memory of no bytes");
  SharedMemory memory;
  memory.fd_ = create_file();
  if (!memory.fd_.valid()) return fail("memfd_create", bytes);
  if (::ftruncate(memory.fd_.get(), bytes) != 0) return fail("size", bytes);
  auto mapping = MappedMemory::map(memory.fd_.get(), bytes, /*writable=*/true);
  if (!mapping) return error_of(mapping);
  memory.mapping_ = std::move(*mapping);
  memory.read_only_ = read_only_for_others;
#ifdef __linux__
  // Nobody may shorten it under a reader, either.
  const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL |
                    (read_only_for_others ? F_SEAL_FUTURE_WRITE : 0);
  if (::fcntl(memory.fd_.get(), F_ADD_SEALS, seals) != 0) {
    return fail("sealing", bytes);
  }
#endif
  return memory;
}

}  // namespace evoke::protocol
