// Through a file of its own, removed again once it is loaded.
#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "evoke/base/fd.h"
#include "evoke/devices/cpu/shared_object.h"

namespace evoke::cpu {

struct SharedObject::File {};

Result<std::unique_ptr<SharedObject>> SharedObject::load(
    std::span<const std::byte> bytes) {
  std::error_code ignored;
  std::string path =
      (std::filesystem::temp_directory_path(ignored) / "evoke-XXXXXX").string();
  const Fd fd(::mkstemp(path.data()));
  if (!fd.valid()) return failed(path + ": " + std::strerror(errno));
  std::unique_ptr<SharedObject> object(new SharedObject);
  const auto written = write_all(fd.get(), bytes);
  if (written) object->handle_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ::unlink(path.c_str());
  if (!written) return error_of(written);
  if (object->handle_ == nullptr) return failed("cannot load the kernel");
  return object;
}

SharedObject::~SharedObject() {
  if (handle_ != nullptr) ::dlclose(handle_);
}

void* SharedObject::find(const std::string& symbol) const {
  return ::dlsym(handle_, symbol.c_str());
}

}  // namespace evoke::cpu
