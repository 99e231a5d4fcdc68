// JSON values as CBOR (RFC 8949), and back with nothing trusted.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"

namespace evoke::protocol {

// Deeper messages are refused: decoding is recursive.
inline constexpr int kMaxCborDepth = 24;

std::vector<std::byte> encode_cbor(const Json& json);
// Any bytes are allowed; those that are not one whole item of the kinds we
// send (no tags, no indefinite lengths) are an error that names the offset.
Result<Json> decode_cbor(std::span<const std::byte> bytes);

}  // namespace evoke::protocol
