#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/evaluation/judge/process.h"

namespace evoke::judge {
namespace {

constexpr int kMaxDepth = 8;

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const std::string id = std::to_string(pid);
  // A child belongs to the thread that made it; runners make them in their
  // first thread.
  const auto text = read_file("/proc/" + id + "/task/" + id + "/children");
  if (!text) return children;
  std::istringstream numbers(*text);
  for (pid_t child = 0; numbers >> child;) children.push_back(child);
  return children;
}

void kill_groups(pid_t pid, int depth) {
  // Stopped first, so that it cannot make more while its children are read.
  ::kill(pid, SIGSTOP);
  if (depth < kMaxDepth) {
    for (const pid_t child : children_of(pid)) kill_groups(child, depth + 1);
  }
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);
}

// The parent first: while it stands still it makes no more of them.
void signal_groups(pid_t pid, int signal, int depth) {
  ::kill(-pid, signal);
  if (depth == kMaxDepth) return;
  for (const pid_t child : children_of(pid)) {
    signal_groups(child, signal, depth + 1);
  }
}

}  // namespace

int64_t private_memory_bytes(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/statm");
  long long total = 0;
  long long resident = 0;
  long long shared = 0;
  if (!text || std::sscanf(text->c_str(), "%lld %lld %lld", &total, &resident,
                           &shared) != 3) {
    return 0;
  }
  return (resident - shared) * ::sysconf(_SC_PAGESIZE);
}

void kill_with_descendants(pid_t pid) { kill_groups(pid, 0); }

bool pause_with_descendants(pid_t pid) {
  signal_groups(pid, SIGSTOP, 0);
  return true;
}

void resume_with_descendants(pid_t pid) { signal_groups(pid, SIGCONT, 0); }

}  // namespace evoke::judge
