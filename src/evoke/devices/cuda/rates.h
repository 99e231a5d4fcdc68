// How much a GPU can read and multiply at best: the roof of every kernel.
#pragma once

#include <cstdint>
#include <string_view>

#include "evoke/base/error.h"
#include "evoke/devices/cuda/driver_api.h"
#include "evoke/devices/cuda/gpu.h"
#include "evoke/devices/cuda/tools.h"
#include "evoke/devices/device.h"

namespace evoke::cuda {

// rates.cu for any GPU, and for those with wgmma.
extern const std::string_view kRatesPtx;
extern const std::string_view kRatesHopperPtx;

// The best of several tries, each timed by events on `stream`.
Result<DeviceRates> measure_rates(const DriverApi& driver, const Gpu& gpu,
                                  Stream stream, Tools& tools,
                                  int64_t footprint_bytes, bool flops);

}  // namespace evoke::cuda
