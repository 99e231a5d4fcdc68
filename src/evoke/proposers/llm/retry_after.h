// How long to wait before a request is repeated.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "evoke/base/rng.h"

namespace evoke::llm {

// Seconds since 1970 of an HTTP date: "Sun, 06 Nov 1994 08:49:37 GMT", or one
// of the two obsolete forms that RFC 9110 5.6.7 still asks to accept.
std::optional<int64_t> parse_http_date(std::string_view text);

// Seconds that a Retry-After header asks for: a number, or a date, compared
// with the answer's own `date` header, or with `now_s` (since 1970) when there
// is none. Never below 0; nullopt: no header, or one that says nothing.
std::optional<double> retry_after_s(std::string_view value,
                                    std::string_view date, int64_t now_s);

// Wait before repetition `n` (0, 1, ...): doubling from `first_s` up to
// `longest_s`, of which half is drawn at random, so that many who failed
// together do not come back together.
double backoff_s(int n, double first_s, double longest_s, Rng& rng);

}  // namespace evoke::llm
