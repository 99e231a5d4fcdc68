// Numbers for prepared calls.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>

#include "evoke/base/error.h"
#include "evoke/devices/device.h"

namespace evoke::baselines {

template <typename Call>
class CallTable {
 public:
  CallId add(Call call) {
    calls_.emplace(++last_, std::move(call));
    return last_;
  }
  void remove(CallId id) { calls_.erase(id); }
  // Null: never prepared, or released.
  Call* find(CallId id) {
    const auto found = calls_.find(id);
    return found == calls_.end() ? nullptr : &found->second;
  }
  const Call* find(CallId id) const {
    return const_cast<CallTable*>(this)->find(id);
  }

  static tl::unexpected<Error> unknown(CallId id) {
    return failed("no prepared call " + std::to_string(id) +
                  "; it was released or never prepared");
  }

 private:
  std::unordered_map<CallId, Call> calls_;
  CallId last_ = 0;
};

}  // namespace evoke::baselines
