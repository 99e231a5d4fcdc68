// Finds and opens the modules that hold the baselines.
#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "evoke/base/program_path.h"
#include "evoke/baselines/baseline.h"
#include "evoke/baselines/module.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace evoke {
namespace {

namespace fs = std::filesystem;

#ifdef __APPLE__
constexpr const char* kModuleSuffix = ".dylib";
#else
constexpr const char* kModuleSuffix = ".so";
#endif

struct Known {
  const char* name;
  const char* module;
  // Opened first and for all, so that its symbols are found before those that
  // the module's library brings: MLX's wheel brings the reference BLAS, a
  // build of MLX from source would use the system's. Optional.
  const char* provider;
  const char* remedy;  // what to do when it is absent
};

constexpr const char* kMlxRemedy =
    "install the wheels mlx and mlx-cpu into .venv (./evoke does) and "
    "configure again";
#if defined(EVOKE_ASAN) || defined(EVOKE_TSAN)
constexpr const char* kOpenvinoRemedy =
    "oneTBB does not load under a sanitizer; install and use another build";
#else
constexpr const char* kOpenvinoRemedy =
    "install the wheel into .venv (pip install --no-deps openvino) and "
    "configure again";
#endif
constexpr Known kKnown[] = {
    {"mlx", "mlx", "libopenblas.so.0", kMlxRemedy},
    {"mlx-bfloat16", "mlx", "libopenblas.so.0", kMlxRemedy},
    {"mlx-float32", "mlx", "libopenblas.so.0", kMlxRemedy},
    {"mlx-metal", "mlx_metal", nullptr,
     "it needs a Mac; install the wheels mlx and mlx-metal into .venv "
     "(./evoke does) and configure again"},
    {"mlx-cuda", "mlx_cuda", nullptr,
     "install the wheels mlx and mlx-cuda-13 and configure with "
     "-DEVOKE_MLX_CUDA=FOLDER, the one that holds mlx/"},
    {"onednn", "onednn", nullptr,
     "install the Debian package libdnnl-dev and configure again"},
    {"openvino", "openvino", nullptr, kOpenvinoRemedy},
};

std::string module_file(const char* module) {
  return fmt::format("libevoke_baseline_{}{}", module, kModuleSuffix);
}

// Beside the installed program first, then where this build put it.
std::vector<fs::path> module_folders() {
  std::vector<fs::path> folders;
  const fs::path program = program_path();
  if (!program.empty()) {
    const fs::path folder = program.parent_path();
    folders.push_back(folder.parent_path() / "lib" / "evoke");
    folders.push_back(folder);
  }
  folders.emplace_back(EVOKE_MODULE_FOLDER);
  return folders;
}

int usable_cores() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

Result<baselines::OpenModule*> load(const Known& known) {
  const std::string file = module_file(known.module);
  for (const fs::path& folder : module_folders()) {
    std::error_code error;
    if (!fs::exists(folder / file, error)) continue;
    if (known.provider != nullptr) {
      ::dlopen(known.provider, RTLD_NOW | RTLD_GLOBAL);
    }
    // Never closed: the libraries behind it keep threads of their own.
    void* module = ::dlopen((folder / file).c_str(),
                            RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == nullptr) {
      return absent(fmt::format("baseline '{}' cannot be loaded: {}; {}",
                                known.name, ::dlerror(), known.remedy));
    }
    void* entry = ::dlsym(module, baselines::kOpenModule);
    if (entry == nullptr) {
      return failed(fmt::format("baseline '{}': {} is not a module of evoke",
                                known.name, file));
    }
    return reinterpret_cast<baselines::OpenModule*>(entry);
  }
  return absent(
      fmt::format("baseline '{}' was not built: {}", known.name, known.remedy));
}

}  // namespace

Result<std::unique_ptr<Baseline>> open_baseline(const std::string& name,
                                                int num_threads) {
  for (const Known& known : kKnown) {
    if (known.name != name) continue;
    const Result<baselines::OpenModule*> open = load(known);
    if (!open) return error_of(open);
    if (num_threads <= 0) num_threads = usable_cores();
    Result<std::unique_ptr<Baseline>> baseline =
        failed(fmt::format("baseline '{}' did not answer", name));
    (*open)(name, num_threads, &baseline);
    return baseline;
  }
  return absent(fmt::format("no baseline '{}'; there are {}", name,
                            fmt::join(known_baselines(), ", ")));
}

std::vector<std::string> known_baselines() {
  std::vector<std::string> names;
  for (const Known& known : kKnown) names.emplace_back(known.name);
  return names;
}

}  // namespace evoke
