// The JSON library, named in one place.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace evoke {

using Json = nlohmann::json;

// As Json::dump(indent) writes it; bytes that are no UTF-8 (a model's words)
// become U+FFFD. Without an indent, long texts cost little more than a copy.
std::string dump_json(const Json& json, int indent = -1);

}  // namespace evoke
