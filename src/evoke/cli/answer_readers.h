// How answers of people, programs and models become kernel files.
#pragma once

#include "evoke/core/kernel_source.h"
#include "evoke/proposers/request_json.h"

namespace evoke::cli {

// A kernel file, JSON that holds one, or SEARCH/REPLACE blocks for the parent.
AnswerReader answer_reader(Dialect dialect);

}  // namespace evoke::cli
