#include <cstdio>

#include "evoke/store/best_folder.h"

namespace evoke {

bool exchange_folders(const std::string& a, const std::string& b) {
#ifdef RENAME_SWAP  // macOS
  return ::renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0;
#else
  static_cast<void>(a);
  static_cast<void>(b);
  return false;
#endif
}

}  // namespace evoke
