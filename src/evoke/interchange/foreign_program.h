// Programs that evoke did not export: a plan is found for what they do.
#pragma once

#include <string>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/interchange/program_record.h"

namespace evoke {

Result<KernelSource> import_foreign(const ProgramRecord& record,
                                    const std::string& path);

}  // namespace evoke
