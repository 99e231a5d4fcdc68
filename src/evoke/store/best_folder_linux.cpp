#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evoke/store/best_folder.h"

namespace evoke {

bool exchange_folders(const std::string& a, const std::string& b) {
  // The wrapper renameat2() is younger than some C libraries in use.
  return ::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(),
                   RENAME_EXCHANGE) == 0;
}

}  // namespace evoke
