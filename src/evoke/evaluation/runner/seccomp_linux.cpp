#include "evoke/evaluation/runner/seccomp_linux.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace evoke::runner {
namespace {

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

Filter make_filter(uint32_t otherwise) {
  return {::seccomp_init(otherwise), ::seccomp_release};
}

tl::unexpected<Error> fail(const char* what, int code) {
  return failed(std::string("seccomp: ") + what + ": " + std::strerror(-code));
}

Result<void> load(const Filter& filter) {
  int code = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (code != 0) return fail("all threads", code);
  code = ::seccomp_load(filter.get());
  if (code != 0) return fail("load", code);
  return {};
}

// Names that this system's libseccomp or processor does not know are skipped:
// a call that does not exist needs no rule.
template <typename... Conditions>
int add(const Filter& filter, uint32_t action, const char* name,
        Conditions... conditions) {
  const int number = ::seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR || number < 0) return 0;
  return ::seccomp_rule_add(filter.get(), action, number, sizeof...(conditions),
                            conditions...);
}

constexpr const char* kComputing[] = {
    // answering
    "read", "write", "writev", "readv", "recvmsg", "sendmsg", "recvfrom",
    "sendto", "poll", "ppoll",
    // memory
    "mmap", "munmap", "mremap", "madvise", "brk", "memfd_create", "ftruncate",
    "mprotect", "membarrier",
    // where own memory lies: OpenBLAS asks when it takes some, in a model
    "mbind",
    // descriptors that exist
    "close", "fstat", "newfstatat", "statx", "lseek", "pread64", "readlink",
    "readlinkat",
    // threads that exist
    "futex", "futex_waitv", "sched_yield", "sched_getaffinity",
    "sched_setaffinity", "set_robust_list", "rseq", "gettid", "getpid",
    "getcpu", "exit", "exit_group", "restart_syscall",
    // time and chance of the C library
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
    "gettimeofday", "getrandom",
    // what evoke_model reports: its own peak memory
    "getrusage",
    // signals to itself
    "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "sigaltstack"};

// What the run-time libraries of the sanitizers do besides.
#if defined(EVOKE_ASAN) || defined(EVOKE_TSAN)
constexpr const char* kSanitizers[] = {
    "prctl",   "uname",      "getuid",      "getppid", "dup",   "access",
    "sysinfo", "getdents64", "personality", "fcntl",   "pipe2", "arch_prctl"};
#endif

constexpr const char* kReachingOut[] = {
    // network
    "socket", "bind", "connect", "listen", "accept", "accept4",
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
    "process_madvise", "kcmp",
    // the system
    "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree",
    "fsopen", "fsmount", "unshare", "setns", "keyctl", "add_key", "request_key",
    "bpf", "perf_event_open", "userfaultfd", "init_module", "finit_module",
    "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon",
    "swapoff", "sethostname", "setdomainname", "settimeofday", "clock_settime",
    "adjtimex", "iopl", "ioperm", "acct", "quotactl", "io_uring_setup",
    "open_by_handle_at", "name_to_handle_at", "fanotify_init"};

}  // namespace

Result<std::string> allow_computing_only() {
  const Filter filter = make_filter(SCMP_ACT_KILL_PROCESS);
  if (!filter) return failed("seccomp: no filter");
  int calls = 0;
  for (const char* name : kComputing) {
    const int code = add(filter, SCMP_ACT_ALLOW, name);
    if (code != 0) return fail(name, code);
    ++calls;
  }
#if defined(EVOKE_ASAN) || defined(EVOKE_TSAN)
  for (const char* name : kSanitizers) {
    const int code = add(filter, SCMP_ACT_ALLOW, name);
    if (code != 0) return fail(name, code);
    ++calls;
  }
#endif
  // Opening is left to the loader of shared objects: never for writing, and
  // what may be read is Landlock's business.
  constexpr auto kWriting = static_cast<scmp_datum_t>(
      O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_DIRECTORY);
  const int open_code = add(filter, SCMP_ACT_ALLOW, "openat",
                            scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, kWriting, 0});
  if (open_code != 0) return fail("openat", open_code);
  // abort() signals its own process only.
  const auto self = static_cast<scmp_datum_t>(::getpid());
  const int signal_code = add(filter, SCMP_ACT_ALLOW, "tgkill",
                              scmp_arg_cmp{0, SCMP_CMP_EQ, self, 0});
  if (signal_code != 0) return fail("tgkill", signal_code);
  if (auto loaded = load(filter); !loaded) return error_of(loaded);
  return "allow-list of " + std::to_string(calls + 2) + " calls";
}

Result<std::string> deny_reaching_out(bool may_start_programs) {
  const Filter filter = make_filter(SCMP_ACT_ALLOW);
  if (!filter) return failed("seccomp: no filter");
  int calls = 0;
  for (const char* name : kReachingOut) {
    const int code = add(filter, SCMP_ACT_ERRNO(EPERM), name);
    if (code != 0) return fail(name, code);
    ++calls;
  }
  if (!may_start_programs) {
    for (const char* name : {"execve", "execveat"}) {
      const int code = add(filter, SCMP_ACT_ERRNO(EPERM), name);
      if (code != 0) return fail(name, code);
      ++calls;
    }
  }
  // New name spaces: clone's flags can be looked at; clone3's cannot, and the
  // C library falls back to clone when it is missing.
  constexpr auto kNameSpaces =
      static_cast<scmp_datum_t>(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
                                CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
  for (scmp_datum_t bit = 1; bit != 0 && bit <= kNameSpaces; bit <<= 1) {
    if ((kNameSpaces & bit) == 0) continue;
    const int code = add(filter, SCMP_ACT_ERRNO(EPERM), "clone",
                         scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, bit, bit});
    if (code != 0) return fail("clone", code);
  }
  const int code = add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3");
  if (code != 0) return fail("clone3", code);
  if (auto loaded = load(filter); !loaded) return error_of(loaded);
  return "deny-list of " + std::to_string(calls + 2) + " calls";
}

}  // namespace evoke::runner
