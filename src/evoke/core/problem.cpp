#include "evoke/core/problem.h"

namespace evoke {

std::string GateCase::label() const {
  return shape.name + "/" + input + "/" + layout;
}

}  // namespace evoke
