// Which samples of a program did the same, and which sizes those are.
#pragma once

#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/interchange/program_record.h"

namespace evoke {

// Samples that differ in numbers alone: they become one variant.
struct SampleGroup {
  std::vector<const RecordedSample*> samples;
  std::string when;  // what their sizes fulfil and no other sample's do
};

// Of the samples that can be followed, at least one group. `failed`: none can
// be, or no condition tells the groups apart.
Result<std::vector<SampleGroup>> group_samples(const ProgramRecord& record);

}  // namespace evoke
