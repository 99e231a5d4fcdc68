// Asks the driver about a GPU from a process of its own.
#pragma once

#include <string>

#include "evoke/base/error.h"
#include "evoke/devices/cuda/gpu.h"

namespace evoke::cuda {

// As find_gpu(), without the driver in this process: a driver that was started
// does not go well with processes forked later, and a compiler forks.
Result<Gpu> find_gpu_apart(const std::string& selector);

// What travels between the two; exposed for tests.
std::string to_text(const Gpu& gpu);
Result<Gpu> gpu_from_text(const std::string& text);

}  // namespace evoke::cuda
