#include "evoke/attention/honest_family.h"

#include <array>

namespace evoke::attention {
namespace {

using enum NumberFormat;

constexpr std::array<NamedForm, kFamilySize> kFamily = {{
    {"flash, tile 16, bf16 P", {.tile = 16}},
    {"flash, tile 64, bf16 P", {.tile = 64}},
    {"flash, tile 128, bf16 P", {.tile = 128}},
    {"flash, tile 256, bf16 P", {.tile = 256}},
    {"flash, tile 64, fp32 P", {.tile = 64, .probability = float32}},
    {"split-KV 8, fp32 partials", {.tile = 64, .splits = 8}},
    {"split-KV 8, bf16 partials",
     {.tile = 64, .splits = 8, .partial = bfloat16}},
    // mlx sdpa_vector_2pass: keys dealt out to blocks, float32 inside,
    // partial outputs stored in the type of the query.
    {"two-pass, 64 blocks, bf16 partials",
     {.tile = 32,
      .splits = 64,
      .interleaved = true,
      .probability = float32,
      .partial = bfloat16}},
    {"two-pass, 256 blocks, bf16 partials",
     {.tile = 32,
      .splits = 256,
      .interleaved = true,
      .probability = float32,
      .partial = bfloat16}},
    // FlashAttention-4: O is rescaled only when the maximum grew by 2^8.
    {"flash, lazy rescale", {.tile = 128, .lazy_rescale = 8}},
    {"flash, cubic exp2", {.tile = 128, .exp2 = exp2_cubic}},
    {"P normalised, then rounded", {.tile = 64, .normalise_first = true}},
}};

constexpr std::array<NamedForm, 10> kOutsiders = {{
    {"flash, tile 32, sum of rounded P", {.tile = 32, .sum_rounded = true}},
    {"flash, tile 64, fp16 P", {.tile = 64, .probability = float16}},
    {"flash, tile 512, bf16 P", {.tile = 512}},
    {"flash, tile 1, fp32 P", {.tile = 1, .probability = float32}},
    {"three passes, fp32 P", {.tile = 1 << 20, .probability = float32}},
    {"split-KV 3, bf16 partials",
     {.tile = 32, .splits = 3, .partial = bfloat16}},
    {"split-KV 32, bf16 partials, sum of rounded P",
     {.tile = 64, .splits = 32, .partial = bfloat16, .sum_rounded = true}},
    {"split-KV 16, fp32 partials, fp16 P",
     {.tile = 64, .splits = 16, .probability = float16}},
    {"two-pass, 32 blocks, bf16 P and partials",
     {.tile = 8,
      .splits = 32,
      .interleaved = true,
      .probability = bfloat16,
      .partial = bfloat16}},
    {"flash, tile 64, lazy rescale, cubic exp2, sum of rounded P",
     {.tile = 64, .exp2 = exp2_cubic, .sum_rounded = true, .lazy_rescale = 8}},
}};

}  // namespace

std::span<const NamedForm> honest_family() { return kFamily; }
std::span<const NamedForm> honest_outsiders() { return kOutsiders; }

}  // namespace evoke::attention
