#include "evoke/devices/cpu/limited_process.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>

#include "evoke/base/clock.h"

namespace evoke::cpu {
namespace {

// How often the limits are looked at: a compiler gains at most a few hundred
// megabytes in this time.
constexpr int64_t kSliceMs = 100;

int64_t folder_bytes(const std::string& folder) {
  int64_t total = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    std::error_code ignored;
    const auto size = entry.file_size(ignored);
    if (!ignored) total += static_cast<int64_t>(size);
  }
  return total;
}

std::string exceeded(const Subprocess& process, const ProcessLimits& limits,
                     int64_t passed_ms) {
  constexpr int64_t kMegabyte = 1 << 20;
  if (passed_ms >= limits.time_ms) {
    return std::to_string(limits.time_ms / 1000) + " seconds";
  }
  if (tree_resident_bytes(process.pid()) > limits.memory_bytes) {
    return std::to_string(limits.memory_bytes / kMegabyte) + " MB of memory";
  }
  if (!limits.watched_folder.empty() &&
      folder_bytes(limits.watched_folder) > limits.folder_bytes) {
    return std::to_string(limits.folder_bytes / kMegabyte) + " MB of files";
  }
  return {};
}

}  // namespace

Result<ProcessReply> run_limited(const SubprocessOptions& options,
                                 const ProcessLimits& limits) {
  auto process = Subprocess::start(options);
  if (!process) return error_of(process);
  ProcessReply reply;
  const int64_t start_ns = monotonic_ns();
  for (;;) {
    const int64_t passed_ms = (monotonic_ns() - start_ns) / 1'000'000;
    reply.limit = exceeded(*process, limits, passed_ms);
    if (!reply.limit.empty()) {
      reply.status = process->kill();
      break;
    }
    const auto status =
        process->wait(std::min(kSliceMs, limits.time_ms - passed_ms));
    if (status) {
      reply.status = *status;
      break;
    }
  }
  reply.output = process->output();
  return reply;
}

}  // namespace evoke::cpu
