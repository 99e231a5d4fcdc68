// What plan expressions know about the device.
#pragma once

#include "evoke/base/expression.h"
#include "evoke/core/launch_plan.h"

namespace evoke {

inline Symbols device_facts(const DeviceLimits& limits) {
  return {{"num_sms", limits.num_sms},
          {"l2_bytes", limits.l2_bytes},
          {"max_threadgroup_memory", limits.max_threadgroup_memory}};
}

}  // namespace evoke
