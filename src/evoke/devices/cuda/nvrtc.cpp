#include "evoke/devices/cuda/nvrtc.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace evoke::cuda {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWayOut =
    "install NVIDIA's CUDA toolkit 12.3 or newer, or `pip install "
    "nvidia-cuda-nvrtc`, or name libnvrtc.so in EVOKE_NVRTC";
constexpr int kOldest = 12 * 1000 + 3;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// <root>/lib/python3.X/{site,dist}-packages, and Debian's own.
void add_site_packages(const fs::path& root, std::vector<fs::path>& sites) {
  for (const fs::path& python : folders_in(root / "lib")) {
    if (!python.filename().string().starts_with("python3")) continue;
    sites.push_back(python / "site-packages");
    sites.push_back(python / "dist-packages");
  }
}

std::vector<fs::path> site_packages() {
  std::vector<fs::path> sites;
  if (const std::string venv = variable("VIRTUAL_ENV"); !venv.empty()) {
    add_site_packages(venv, sites);
  }
  std::error_code error;
  fs::path at = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int level = 0; level < 6 && !error && at.has_relative_path(); ++level) {
    add_site_packages(at / ".venv", sites);
    at = at.parent_path();
  }
  for (const char* root : {"/usr/local", "/usr"})
    add_site_packages(root, sites);
  return sites;
}

void add_toolkit(const fs::path& root, std::vector<std::string>& folders) {
  for (const char* name :
       {"lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"}) {
    folders.push_back((root / name).string());
  }
}

// libnvrtc.so, or the newest libnvrtc.so.N.
std::string library_in(const fs::path& folder) {
  std::error_code ignored;
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name == "libnvrtc.so" || name.starts_with("libnvrtc.so.")) {
      found.push_back(entry.path().string());
    }
  }
  if (found.empty()) return {};
  return *std::max_element(found.begin(), found.end());
}

// <root>/include of <root>/lib/libnvrtc.so, else that of a wheel beside it.
std::string includes_for(const std::string& library) {
  std::error_code ignored;
  fs::path file = fs::canonical(library, ignored);
  if (file.empty()) file = library;
  std::vector<fs::path> candidates;
  fs::path root = file.parent_path();
  for (int level = 0; level < 3 && root.has_relative_path(); ++level) {
    root = root.parent_path();
    candidates.push_back(root / "include");
    candidates.push_back(root / "cuda_runtime" / "include");
  }
  for (const fs::path& folder : candidates) {
    if (fs::exists(folder / "cuda_bf16.h", ignored)) return folder.string();
  }
  return {};
}

Result<std::shared_ptr<const Nvrtc>> open(const std::string& path) {
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = ::dlerror();
    return absent(fmt::format("{}: {}", path, why == nullptr ? "?" : why));
  }
  auto nvrtc = std::make_shared<Nvrtc>();
  const char* missing = nullptr;
#define EVOKE_NVRTC_LOAD(member, name, parameters)                       \
  nvrtc->member =                                                        \
      reinterpret_cast<decltype(nvrtc->member)>(::dlsym(library, name)); \
  if (nvrtc->member == nullptr && missing == nullptr) missing = name;
  EVOKE_NVRTC_FUNCTIONS(EVOKE_NVRTC_LOAD)
#undef EVOKE_NVRTC_LOAD
  if (missing != nullptr) {
    return absent(fmt::format("{} has no {}; {}", path, missing, kWayOut));
  }
  if (nvrtc->version(&nvrtc->major, &nvrtc->minor) != 0) {
    return absent(fmt::format("{} does not tell its version", path));
  }
  if (nvrtc->major * 1000 + nvrtc->minor < kOldest) {
    return absent(fmt::format("{} is NVRTC {}.{}, too old; {}", path,
                              nvrtc->major, nvrtc->minor, kWayOut));
  }
  nvrtc->path = path;
  nvrtc->include_folder = includes_for(path);
  return std::shared_ptr<const Nvrtc>(std::move(nvrtc));
}

}  // namespace

std::vector<std::string> nvrtc_folders() {
  std::vector<std::string> folders;
  std::error_code ignored;
  if (const std::string named = variable("EVOKE_NVRTC"); !named.empty()) {
    folders.push_back(fs::is_directory(named, ignored)
                          ? named
                          : fs::path(named).parent_path().string());
    return folders;
  }
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string root = variable(name); !root.empty()) {
      add_toolkit(root, folders);
    }
  }
  add_toolkit("/usr/local/cuda", folders);
  std::vector<fs::path> versions = folders_in("/usr/local");
  std::reverse(versions.begin(), versions.end());
  for (const fs::path& each : versions) {
    if (each.filename().string().starts_with("cuda-")) {
      add_toolkit(each, folders);
    }
  }
  folders.emplace_back("/usr/lib/x86_64-linux-gnu");
  folders.emplace_back("/usr/lib/aarch64-linux-gnu");
  for (const fs::path& site : site_packages()) {
    for (const char* wheel :
         {"nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib", "nvidia/cu12/lib"}) {
      folders.push_back((site / wheel).string());
    }
  }
  return folders;
}

Result<std::shared_ptr<const Nvrtc>> load_nvrtc() {
  const std::string named = variable("EVOKE_NVRTC");
  std::error_code ignored;
  if (!named.empty() && !fs::is_directory(named, ignored)) return open(named);
  std::string why;
  for (const std::string& folder : nvrtc_folders()) {
    const std::string library = library_in(folder);
    if (library.empty()) continue;
    auto opened = open(library);
    if (opened) return opened;
    if (why.empty()) why = opened.error().message;
  }
  if (!named.empty()) {
    return absent(why.empty()
                      ? "EVOKE_NVRTC: there is no libnvrtc.so in " + named
                      : "EVOKE_NVRTC: " + why);
  }
  if (!why.empty()) return absent(why);
  return absent(fmt::format("no CUDA compiler (NVRTC) was found; {}", kWayOut));
}

}  // namespace evoke::cuda
