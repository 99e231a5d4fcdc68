#include "evoke/base/atomic_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <vector>

#include "evoke/base/fd.h"

namespace evoke {

Result<void> write_file_atomically(const std::string& path,
                                   std::string_view text) {
  const auto fail = [&](const char* step) {
    return failed(path + ": " + step + ": " + std::strerror(errno));
  };
  std::string temporary = path + ".XXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return fail("cannot create a file beside it");
  ::fchmod(fd.get(), 0644);
  auto written = write_all(fd.get(), std::as_bytes(std::span(text)));
  if (!written || ::fsync(fd.get()) != 0) {
    const auto error =
        written ? fail("sync") : failed(path + ": " + written.error().message);
    ::unlink(temporary.c_str());
    return error;
  }
  fd.close();
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const auto error = fail("rename");
    ::unlink(temporary.c_str());
    return error;
  }
  // The rename itself must survive too.
  auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  const Fd directory(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.valid()) ::fsync(directory.get());
  return {};
}

}  // namespace evoke
