#include "evoke/store/best_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "evoke/base/atomic_file.h"
#include "evoke/base/fd.h"

namespace evoke {
namespace {

namespace fs = std::filesystem;

std::string prepared_path(const std::string& run_folder) {
  return run_folder + "/best.partial";
}
std::string former_path(const std::string& run_folder) {
  return run_folder + "/best.old";
}

// With an instant in which `place` does not exist.
Result<void> move_into_place(const std::string& prepared,
                             const std::string& place,
                             const std::string& former) {
  std::error_code error;
  fs::rename(place, former, error);
  if (error) return failed(place + ": " + error.message());
  fs::rename(prepared, place, error);
  if (!error) return {};
  std::error_code ignored;
  fs::rename(former, place, ignored);
  return failed(place + ": " + error.message());
}

Result<void> sync_folder(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid() && ::fsync(fd.get()) == 0) return {};
  return failed(path + ": sync: " + std::strerror(errno));
}

}  // namespace

Result<void> replace_best_folder(const std::string& run_folder,
                                 const std::vector<NamedText>& files) {
  const std::string prepared = prepared_path(run_folder);
  const std::string place = run_folder + "/best";
  remove_best_leftovers(run_folder);
  std::error_code error;
  fs::create_directory(prepared, error);
  if (!error) fs::create_directory(place, error);
  if (error) return failed(place + ": " + error.message());
  Result<void> done;
  for (const NamedText& file : files) {
    if (done) {
      done = write_file_atomically(prepared + "/" + file.name, file.text);
    }
  }
  if (done && !exchange_folders(prepared, place)) {
    done = move_into_place(prepared, place, former_path(run_folder));
  }
  if (done) done = sync_folder(run_folder);
  remove_best_leftovers(run_folder);
  return done;
}

void remove_best_leftovers(const std::string& run_folder) {
  std::error_code ignored;
  const std::string place = run_folder + "/best";
  if (!fs::exists(place, ignored)) {
    fs::rename(former_path(run_folder), place, ignored);
  }
  fs::remove_all(former_path(run_folder), ignored);
  fs::remove_all(prepared_path(run_folder), ignored);
}

}  // namespace evoke
