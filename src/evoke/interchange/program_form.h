// What samples of a program have in common, and whether the importer can
// follow them.
#pragma once

#include <string>
#include <vector>

#include "evoke/interchange/program_record.h"

namespace evoke {

// What a program did, less the numbers: samples that agree are one variant.
std::string form_of(const std::vector<RecordedCall>& calls);

// Why a sample cannot be followed; empty when it can.
std::string problem_with(const RecordedSample& sample);

}  // namespace evoke
