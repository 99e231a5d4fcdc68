#include "evoke/evaluation/runner/landlock_linux.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "evoke/base/fd.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

namespace evoke::runner {
namespace {

// From the kernel's include/uapi/linux/landlock.h; spelled out because the
// header of the build machine may be older than the kernel that runs.
constexpr uint32_t kQueryVersion = 1;
constexpr uint64_t kExecute = 1 << 0;
constexpr uint64_t kWriteFile = 1 << 1;
constexpr uint64_t kReadFile = 1 << 2;
constexpr uint64_t kReadFolder = 1 << 3;
constexpr uint64_t kAllOfVersion1 = (1 << 13) - 1;
constexpr uint64_t kRefer = 1 << 13;           // version 2
constexpr uint64_t kTruncate = 1 << 14;        // version 3
constexpr uint64_t kDeviceIoctl = 1 << 15;     // version 5
constexpr uint64_t kTcpBindAndConnect = 3;     // version 4
constexpr uint64_t kSocketAndSignalScope = 3;  // version 6
constexpr int kRulePathBeneath = 1;

struct RulesetAttributes {
  uint64_t files = 0;
  uint64_t network = 0;
  uint64_t scope = 0;
};
struct __attribute__((packed)) PathRule {
  uint64_t allowed = 0;
  int32_t folder = -1;
};

tl::unexpected<Error> fail(const char* what) {
  return failed(std::string(what) + ": " + std::strerror(errno));
}

// Rights that make sense for a file which is no folder.
constexpr uint64_t kFileRights =
    kExecute | kWriteFile | kReadFile | kTruncate | kDeviceIoctl;

Result<void> allow(int ruleset, const std::string& path, uint64_t rights) {
  const Fd folder(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!folder.valid()) return {};  // nothing there, nothing to allow
  struct stat status{};
  if (::fstat(folder.get(), &status) != 0) return fail(path.c_str());
  PathRule rule;
  rule.allowed = S_ISDIR(status.st_mode) ? rights : rights & kFileRights;
  rule.folder = folder.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, kRulePathBeneath, &rule, 0) !=
      0) {
    return fail(path.c_str());
  }
  return {};
}

}  // namespace

int landlock_version() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kQueryVersion);
  return version > 0 ? static_cast<int>(version) : 0;
}

Result<std::string> restrict_files(const LandlockRules& rules) {
  const int version = landlock_version();
  if (version == 0) return absent("absent: this kernel has no Landlock");
  RulesetAttributes attributes;
  attributes.files = kAllOfVersion1;
  if (version >= 2) attributes.files |= kRefer;
  if (version >= 3) attributes.files |= kTruncate;
  if (version >= 5) attributes.files |= kDeviceIoctl;
  std::size_t size = sizeof(uint64_t);
  std::string applied = "version " + std::to_string(version) + ": files";
  if (version >= 4) {
    attributes.network = kTcpBindAndConnect;
    size = 2 * sizeof(uint64_t);
    applied += ", tcp";
  }
  if (version >= 6) {
    attributes.scope = kSocketAndSignalScope;
    size = 3 * sizeof(uint64_t);
    applied += ", scope";
  }
  const Fd ruleset(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset.valid()) return fail("landlock_create_ruleset");
  for (const std::string& path : rules.readable) {
    auto allowed =
        allow(ruleset.get(), path, kExecute | kReadFile | kReadFolder);
    if (!allowed) return error_of(allowed);
  }
  for (const std::string& path : rules.writable) {
    auto allowed = allow(ruleset.get(), path, attributes.files);
    if (!allowed) return error_of(allowed);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail("landlock_restrict_self");
  }
  return applied;
}

}  // namespace evoke::runner
