// Which size expression gives the numbers that a program was seen to use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/expression.h"

namespace evoke {

struct FitOptions {
  // Whether D, Hq and Hkv took several values among the samples. If not, a
  // number equal to one of them is as likely to be just that number.
  bool heads_vary = true;
  bool compile_time_only = false;  // D Hq Hkv and integers
};

// The simplest expression with values[i] at samples[i], for all i: a letter, a
// number, then products, minima, ceil_div and align_up of them. absent: none.
Result<Expression> fit_expression(std::span<const Symbols> samples,
                                  const std::vector<int64_t>& values,
                                  const FitOptions& options = {});

}  // namespace evoke
