// Programs that launch kernels while they are loaded, as MLX's own examples
// do: kernels that compute something else than attention.
#pragma once

#include <string>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/interchange/program_record.h"

namespace evoke {

// The file is of a problem that evoke does not have, called as the first
// kernel, with the numbers that were seen.
Result<KernelSource> import_module(const ProgramRecord& record,
                                   const std::string& path);

}  // namespace evoke
