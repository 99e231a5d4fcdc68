// Why a runner did not do what it was asked.
#pragma once

#include <string>

#include "evoke/base/error.h"

namespace evoke::judge {

struct RunnerFault {
  enum class Kind {
    refused,        // it answered, with an error; it goes on living
    died,           // ended by itself: a crash, most of the time
    timed_out,      // killed: too slow
    out_of_memory,  // killed: too large
    garbage,        // killed: did not keep to the protocol
    cancelled,      // killed: nobody wants the answer any more
    unavailable     // could not be started, or the judge lacks something
  };
  Kind kind = Kind::unavailable;
  std::string message;
};

template <typename T>
using RunnerResult = tl::expected<T, RunnerFault>;

inline tl::unexpected<RunnerFault> fault(RunnerFault::Kind kind,
                                         std::string message) {
  return tl::unexpected<RunnerFault>({kind, std::move(message)});
}
template <typename T>
tl::unexpected<RunnerFault> fault_of(const RunnerResult<T>& result) {
  return tl::unexpected<RunnerFault>(result.error());
}
// An error of the judge's own while it served a runner.
inline tl::unexpected<RunnerFault> own_fault(const Error& error) {
  return fault(RunnerFault::Kind::unavailable, error.message);
}

}  // namespace evoke::judge
