// What this machine is, in words, for reports and evoke doctor.
#pragma once

#include <string>

namespace evoke::cli {

// "Intel(R) Xeon(R) ..., 2 cores, 24 GiB, Linux 6.1.0"
std::string describe_machine();
// "2026-11-23T14:05:00Z"
std::string utc_time();

}  // namespace evoke::cli
