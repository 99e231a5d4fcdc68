// best/ inside a run directory: replaced as a whole, so that whoever reads it
// never sees the kernel of one candidate beside the numbers of another.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "evoke/base/error.h"

namespace evoke {

struct NamedText {
  std::string name;  // of a file, without folder
  std::string text;
};

// After success the content survives a power cut; after failure the old one
// is untouched.
Result<void> replace_best_folder(const std::string& run_folder,
                                 const std::vector<NamedText>& files);
// What an interrupted replacement left behind. For the run's only writer.
void remove_best_leftovers(const std::string& run_folder);

// Swaps two folders in one step; false where the system or the file system
// cannot (best_folder_linux.cpp, best_folder_portable.cpp).
bool exchange_folders(const std::string& a, const std::string& b);

}  // namespace evoke
