// No file appears: the bytes lie in a memfd, which the loader opens through
// /proc/self/fd. Works behind Landlock and seccomp that forbid writing files.
#include <dlfcn.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "evoke/base/fd.h"
#include "evoke/devices/cpu/shared_object.h"

namespace evoke::cpu {

// Stays open as long as the object is loaded: the loader knows objects by
// their path, and would answer a number used again with the old one.
struct SharedObject::File {
  Fd fd;
};

Result<std::unique_ptr<SharedObject>> SharedObject::load(
    std::span<const std::byte> bytes) {
  Fd fd(::memfd_create("evoke-kernel", MFD_CLOEXEC));
  if (!fd.valid()) {
    return failed(std::string("memfd_create: ") + std::strerror(errno));
  }
  if (const auto written = write_all(fd.get(), bytes); !written) {
    return error_of(written);
  }
  const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  std::unique_ptr<SharedObject> object(new SharedObject);
  object->handle_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object->handle_ == nullptr) {
    const char* const why = ::dlerror();
    return failed(std::string("cannot load the kernel: ") +
                  (why ? why : "no reason given"));
  }
  object->file_ = std::make_unique<File>(File{std::move(fd)});
  return object;
}

SharedObject::~SharedObject() {
  if (handle_ != nullptr) ::dlclose(handle_);
}

void* SharedObject::find(const std::string& symbol) const {
  return ::dlsym(handle_, symbol.c_str());
}

}  // namespace evoke::cpu
