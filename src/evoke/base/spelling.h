// "Did you mean": the known word closest to one that is not known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace evoke {

// Letters to insert, delete, replace or swap with their neighbour to turn `a`
// into `b`.
int edit_distance(std::string_view a, std::string_view b);

// " (did you mean 'choices'?)", or nothing when no word is close or
// begins with it.
std::string did_you_mean(std::string_view word,
                         std::span<const std::string> known);

}  // namespace evoke
