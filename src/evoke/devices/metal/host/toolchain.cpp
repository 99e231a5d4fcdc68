#include "evoke/devices/metal/host/toolchain.h"

#include <filesystem>
#include <sstream>
#include <system_error>

#include "evoke/devices/cpu/limited_process.h"
#include "evoke/devices/cpu/toolchain.h"

namespace evoke::metal::host {
namespace {

constexpr int64_t kVersionTimeLimitMs = 5'000;

std::string ask_version(const std::string& program, const std::string& path) {
  SubprocessOptions options;
  options.arguments = {program, "--version"};
  options.environment = {"PATH=" + path, "LC_ALL=C"};
  cpu::ProcessLimits limits;
  limits.time_ms = kVersionTimeLimitMs;
  const auto reply = cpu::run_limited(options, limits);
  if (!reply || !reply->status.ok()) return {};
  return reply->output.substr(0, reply->output.find('\n'));
}

// Clang's pass for kernel-address sanitizing, with every check a call of ours
// and nothing left out: also accesses that are known to be in bounds, for
// they may read what was never written, and second ones to the same address,
// for they may race.
const std::vector<std::string>& watching_flags() {
  static const std::vector<std::string> flags = [] {
    std::vector<std::string> all{"-fsanitize=kernel-address",
                                 "-DEVOKE_METAL_CHECKED"};
    for (const char* option :
         {"-asan-memory-access-callback-prefix=evoke_metal_",
          "-asan-kernel-mem-intrinsic-prefix=1",
          "-asan-instrumentation-with-call-threshold=0",
          "-asan-max-inline-poisoning-size=0", "-asan-mapping-offset=0",
          "-asan-stack=1", "-asan-use-stack-safety=0", "-asan-opt-stack=0",
          "-asan-opt-same-temp=0", "-asan-opt-globals=0", "-asan-globals=0",
          "-asan-instrument-dynamic-allocas=0", "-asan-instrument-byval=0"}) {
      all.emplace_back("-mllvm");
      all.emplace_back(option);
    }
    return all;
  }();
  return flags;
}

}  // namespace

Result<Toolchain> find_toolchain() {
  const std::string path = cpu::program_path();
  for (const std::string name : {"clang++-19", "clang++"}) {
    std::istringstream folders(path);
    for (std::string folder; std::getline(folders, folder, ':');) {
      const std::string program = folder + "/" + name;
      std::error_code ignored;
      if (folder.empty() || !std::filesystem::exists(program, ignored)) {
        continue;
      }
      Toolchain toolchain{program, ask_version(program, path)};
      if (toolchain.version.find("version 19.") == std::string::npos) continue;
      return toolchain;
    }
  }
  return absent("no clang 19 answers (looked for clang++-19 and clang++ in " +
                path + "); install clang-19");
}

std::vector<std::string> compile_flags(Reading reading) {
  std::vector<std::string> flags{
      "-std=c++17",
      // 0.5 is a float in Metal.
      "-Xclang", "-cl-single-precision-constant",
#if defined(__aarch64__)
      "-mcpu=native",
#else
      "-march=native",
#endif
      "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
      "-fno-exceptions", "-fno-rtti", "-fno-strict-aliasing", "-fPIC",
      "-fvisibility=hidden", "-fvisibility-inlines-hidden",
      "-fno-stack-protector",
      // A frame larger than the page below a stack must not leap over it.
      "-fstack-clash-protection", "-fno-threadsafe-statics",
      "-fno-asynchronous-unwind-tables", "-fno-ident",
      "-fdiagnostics-color=never", "-fno-caret-diagnostics",
      "-fno-diagnostics-show-option", "-Werror=vla-cxx-extension",
      "-Wno-unknown-attributes", "-Wno-ignored-attributes",
      "-Wno-duplicate-decl-specifier", "-Wno-unused",
      "-Wno-constant-conversion", "-Wno-unknown-warning-option"};
  const auto add = [&](std::initializer_list<const char*> more) {
    flags.insert(flags.end(), more.begin(), more.end());
  };
  switch (reading) {
    case Reading::address_spaces:
      add({"-O0", "-ferror-limit=0", "-Wuninitialized",
           "-Wsometimes-uninitialized", "-fdiagnostics-show-option"});
      break;
    case Reading::run:
      // NaN in what nobody writes.
      add({"-O2", "-gline-tables-only", "-ferror-limit=200",
           "-Wno-uninitialized", "-ftrivial-auto-var-init=pattern",
           "-fcf-protection=none"});
      break;
    case Reading::checked:
      add({"-O1", "-gline-tables-only", "-ferror-limit=200",
           "-Wno-uninitialized", "-fcf-protection=none"});
      flags.insert(flags.end(), watching_flags().begin(),
                   watching_flags().end());
      break;
  }
#if !defined(__x86_64__)
  std::erase(flags, "-fcf-protection=none");
#endif
  return flags;
}

std::vector<std::string> link_flags(Reading reading) {
  std::vector<std::string> flags{"-shared",
                                 "-nostdlib",
                                 "-Wl,-z,now",
                                 "-Wl,-z,relro",
                                 "-Wl,-z,noexecstack",
                                 "-Wl,--build-id=none",
                                 "-Wl,--hash-style=gnu"};
  if (reading == Reading::checked) {
    for (const char* value :
         {"00", "01", "02", "03", "04", "05", "06", "07", "f1", "f2", "f3"}) {
      flags.push_back(std::string("-Wl,--wrap=__asan_set_shadow_") + value);
    }
    flags.emplace_back("-Wl,--wrap=__asan_handle_no_return");
  }
  return flags;
}

}  // namespace evoke::metal::host
