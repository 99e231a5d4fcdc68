// The JSON library, named in one place.
#pragma once

#include <nlohmann/json.hpp>

namespace evoke {
using Json = nlohmann::json;
}  // namespace evoke
