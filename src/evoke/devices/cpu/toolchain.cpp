#include "evoke/devices/cpu/toolchain.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "evoke/devices/cpu/cpu_features.h"
#include "evoke/devices/cpu/limited_process.h"

namespace evoke::cpu {
namespace {

constexpr int64_t kVersionTimeLimitMs = 5'000;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string ask_version(const std::string& program, const std::string& path) {
  SubprocessOptions options;
  options.arguments = {program, "--version"};
  options.environment = {"PATH=" + path, "LC_ALL=C"};
  ProcessLimits limits;
  limits.time_ms = kVersionTimeLimitMs;
  const auto reply = run_limited(options, limits);
  if (!reply || !reply->status.ok()) return {};
  return first_line(reply->output);
}

// No -ffast-math: NaN must stay NaN and -inf must stay a mask. What is given
// away is errno, traps, and the rounding between a product and a sum.
std::vector<std::string> compile_flags(bool clang) {
  std::vector<std::string> flags{"-std=c++20",
                                 "-O3",
#if defined(__aarch64__)
                                 "-mcpu=native",
#else
                                 "-march=native",
#endif
                                 "-fPIC",
                                 "-fno-exceptions",
                                 "-fno-rtti",
                                 "-ffp-contract=fast",
                                 "-fno-math-errno",
                                 "-fno-trapping-math",
                                 "-fno-strict-aliasing",
                                 "-fvisibility=hidden",
                                 "-fvisibility-inlines-hidden",
                                 "-fno-asynchronous-unwind-tables",
                                 "-fno-unwind-tables",
                                 "-fno-stack-protector",
                                 "-fno-threadsafe-statics",
                                 "-fno-ident",
                                 "-DNDEBUG",
                                 "-Wall",
                                 "-Wno-unused",
                                 "-Wno-uninitialized",
                                 "-Wno-psabi",
                                 "-fdiagnostics-color=never"};
#if defined(__x86_64__)
  flags.emplace_back("-fcf-protection=none");
  if (!has_feature("amx_bf16")) {
    // The processor may have tiles that the system does not lend out.
    for (const char* flag : {"-mno-amx-tile", "-mno-amx-int8", "-mno-amx-bf16"})
      flags.emplace_back(flag);
  }
#endif
  if (clang) {
    flags.emplace_back("-ferror-limit=10");
    flags.emplace_back("-Wno-invalid-feature-combination");
    flags.emplace_back("-Wno-unknown-warning-option");
  } else {
    flags.emplace_back("-fmax-errors=10");
    flags.emplace_back("-Wno-maybe-uninitialized");
  }
  return flags;
}

// No C runtime files: they bring writable data and constructors.
std::vector<std::string> link_flags() {
  return {"-shared",
          "-nostdlib",
          "-Wl,-z,now",
          "-Wl,-z,relro",
          "-Wl,-z,noexecstack",
          "-Wl,--build-id=none",
          "-Wl,--hash-style=gnu"};
}

}  // namespace

Result<Toolchain> find_toolchain(const std::string& path) {
  for (const std::string name : {"g++", "clang++", "c++"}) {
    std::istringstream folders(path);
    for (std::string folder; std::getline(folders, folder, ':');) {
      const std::string program = folder + "/" + name;
      std::error_code ignored;
      if (folder.empty() || !std::filesystem::exists(program, ignored))
        continue;
      Toolchain toolchain;
      toolchain.program = program;
      toolchain.version = ask_version(program, path);
      if (toolchain.version.empty()) continue;
      toolchain.clang = toolchain.version.find("clang") != std::string::npos;
      toolchain.compile_flags = compile_flags(toolchain.clang);
      toolchain.link_flags = link_flags();
      return toolchain;
    }
  }
  return absent("no C++ compiler answers (looked for g++, clang++ and c++ in " +
                path + "); install g++ 12 or newer");
}

std::string program_path() {
  const char* path = std::getenv("PATH");
  return path && *path ? path : "/usr/local/bin:/usr/bin:/bin";
}

}  // namespace evoke::cpu
