// Lengths of time as people write them: "90", "90s", "2m", "1h30m".
#pragma once

#include <string>
#include <string_view>

#include "evoke/base/error.h"

namespace evoke::cli {

Result<double> parse_duration_s(std::string_view text);
std::string format_duration(double seconds);  // "2m 05s"

}  // namespace evoke::cli
