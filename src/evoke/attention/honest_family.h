// Twelve honest ways to compute bf16 attention. Their spread around the
// float64 answer is what the gate tolerates.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "evoke/attention/flash_form.h"

namespace evoke::attention {

struct NamedForm {
  std::string_view name;
  FlashForm form;
};

inline constexpr std::size_t kFamilySize = 12;
// The members, always in this order.
std::span<const NamedForm> honest_family();
// Honest forms outside the family, on which the gate was never tuned: the
// self-test requires that they pass.
std::span<const NamedForm> honest_outsiders();

}  // namespace evoke::attention
