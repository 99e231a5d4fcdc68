// Systems without Landlock and seccomp: resource limits only.
#include <sys/resource.h>

#include <utility>

#include "evoke/evaluation/runner/confinement.h"

namespace evoke::runner {

Confinement::Confinement(ConfinementOptions options)
    : options_(std::move(options)) {}

void Confinement::enter() {
  const rlimit none{0, 0};
  record_["rlimit_core"] = ::setrlimit(RLIMIT_CORE, &none) == 0;
  if (options_.cpu_seconds > 0) {
    const auto seconds = static_cast<rlim_t>(options_.cpu_seconds);
    const rlimit limit{seconds, seconds};
    record_["rlimit_cpu_s"] =
        ::setrlimit(RLIMIT_CPU, &limit) == 0 ? options_.cpu_seconds : 0;
  }
  record_["landlock"] = "absent: not on this system";
}

void Confinement::seal() { record_["seccomp"] = "absent: not on this system"; }

}  // namespace evoke::runner
