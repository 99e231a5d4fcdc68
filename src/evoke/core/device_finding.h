// What a device that watches the kernels it runs saw one do.
#pragma once

#include <string>

namespace evoke {

struct DeviceFinding {
  std::string kind;            // in the device's words: "race in device memory"
  bool wrong = true;           // false: legal, and worth a word
  bool out_of_bounds = false;  // touches memory that it may not touch
  std::string message;         // one line with the kind, fit for a prompt
};

}  // namespace evoke
