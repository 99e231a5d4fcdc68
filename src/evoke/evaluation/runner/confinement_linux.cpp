#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "evoke/evaluation/runner/confinement.h"
#include "evoke/evaluation/runner/landlock_linux.h"
#include "evoke/evaluation/runner/seccomp_linux.h"

namespace evoke::runner {
namespace {

using protocol::Role;

constexpr rlim_t kMegabyte = rlim_t{1} << 20;

void limit(Json& record, const char* name, int resource, rlim_t value) {
  const rlimit both{value, value};
  record[name] =
      ::setrlimit(static_cast<__rlimit_resource>(resource), &both) == 0
          ? Json(value)
          : Json(false);
}

// Root keeps its name and loses its powers, here and in programs it starts.
bool drop_capabilities() {
  // These two need the capability that the last step gives up; without it
  // there is nothing to lock.
  for (int each = 0; ::prctl(PR_CAPBSET_READ, each, 0, 0, 0) >= 0; ++each) {
    ::prctl(PR_CAPBSET_DROP, each, 0, 0, 0);
  }
  ::prctl(PR_SET_SECUREBITS,
          SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
              SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED,
          0, 0, 0);
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

Json text_or_error(const Result<std::string>& result) {
  return result ? *result : result.error().message;
}

// What programs, shared libraries and the description of the machine need.
std::vector<std::string> system_folders() {
  return {"/usr",
          "/bin",
          "/lib",
          "/lib32",
          "/lib64",
          "/etc/ld.so.cache",
          "/etc/ld.so.preload",
          "/etc/alternatives",
          "/sys/devices/system",
          "/sys/fs/cgroup",
          "/proc/self",
          "/proc/cpuinfo",
          "/proc/meminfo",
          "/proc/stat",
          "/dev/null",
          "/dev/zero",
          "/dev/random",
          "/dev/urandom"};
}

// The driver's device files; more appear with more GPUs.
std::vector<std::string> gpu_files() {
  std::vector<std::string> files = {"/proc/driver/nvidia"};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/dev", error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("nvidia")) files.push_back(entry.path().string());
  }
  return files;
}

LandlockRules rules_for(const ConfinementOptions& options) {
  LandlockRules rules;
  rules.readable = system_folders();
  rules.readable.insert(rules.readable.end(), options.readable.begin(),
                        options.readable.end());
  if (options.role == Role::compile) {
    rules.writable = {options.private_folder, "/dev/null"};
    // Its compilers' memory is read there. What Landlock keeps apart (other
    // processes' memory, environment and descriptors) stays closed.
    rules.readable.emplace_back("/proc");
    if (options.gpu) {
      for (std::string& file : gpu_files()) {
        rules.writable.push_back(std::move(file));
      }
      rules.readable.insert(rules.readable.end(), {"/sys", "/etc", "/opt"});
    }
  }
  return rules;
}

}  // namespace

Confinement::Confinement(ConfinementOptions options)
    : options_(std::move(options)) {}

void Confinement::enter() {
  // A parent that ended before this line closed the connection with it.
  record_["dies_with_parent"] = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  record_["no_new_privileges"] = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  record_["no_capabilities"] = drop_capabilities();
  record_["not_dumpable"] = ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;

  const bool compile = options_.role == Role::compile;
  const bool candidate = options_.role == Role::execute && !options_.gpu;
  limit(record_, "rlimit_core", RLIMIT_CORE, 0);
  // A driver opens many files.
  const bool wide = compile || options_.gpu;
  limit(record_, "rlimit_file_bytes", RLIMIT_FSIZE,
        wide ? 512 * kMegabyte : 128 * kMegabyte);
  limit(record_, "rlimit_open_files", RLIMIT_NOFILE, wide ? 512 : 128);
  if (options_.cpu_seconds > 0) {
    limit(record_, "rlimit_cpu_s", RLIMIT_CPU,
          static_cast<rlim_t>(options_.cpu_seconds));
  }
  if (compile || candidate) {
    record_["landlock"] = text_or_error(restrict_files(rules_for(options_)));
  } else {
    record_["landlock"] = "not used: no candidate runs on this processor";
  }
}

void Confinement::seal() {
  if (options_.role == Role::execute && !options_.gpu) {
#if !defined(EVOKE_ASAN) && !defined(EVOKE_TSAN)
    // This thread loads the candidate; it opens nothing but anonymous files
    // from here on. (Sanitizers read files to write their reports.)
    record_["landlock_sealed"] = text_or_error(restrict_files({}));
#endif
    record_["seccomp"] = text_or_error(allow_computing_only());
  } else {
    record_["seccomp"] =
        text_or_error(deny_reaching_out(options_.role == Role::compile));
  }
}

}  // namespace evoke::runner
