// Content hashes: identity of genomes, objects and cached files. XXH3, 128
// bits: not cryptographic, but no accidental collision will be seen.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace evoke {

// 32 lower-case hexadecimal digits.
std::string hash_hex(std::string_view bytes);
std::string hash_hex(std::span<const std::byte> bytes);
// 64 bits of the same family, for seeds and in-memory tables.
uint64_t hash_u64(std::string_view bytes, uint64_t seed = 0);

}  // namespace evoke
