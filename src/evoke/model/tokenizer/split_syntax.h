// What of a regular expression means the same in Oniguruma and in PCRE2.
#pragma once

#include <string>
#include <string_view>

namespace evoke::model {

// "" when `pattern` is made only of literals, \r \n \t \s \S \p{L} \p{N},
// classes of these, alternatives, groups (?: (?= (?!, (?i: of ASCII
// letters and apostrophes, and single quantifiers on anything but a group.
// Otherwise the first part that is not.
std::string find_unsupported_syntax(std::string_view pattern);

}  // namespace evoke::model
