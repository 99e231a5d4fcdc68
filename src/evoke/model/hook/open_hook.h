// From the name of a kernel file to a hook for a model.
#pragma once

#include <memory>
#include <string>

#include "evoke/base/error.h"
#include "evoke/core/problem.h"
#include "evoke/model/hook/kernel_hook.h"

namespace evoke::model {

// Reads the file now and takes it only with a record of the gate for exactly
// this text and the model's heads, from default_verified_folder(); `absent`
// names the command that makes one.
Result<std::unique_ptr<KernelHook>> open_kernel_hook(
    const std::string& kernel_file, const std::string& model,
    const ProblemSignature& signature);

}  // namespace evoke::model
