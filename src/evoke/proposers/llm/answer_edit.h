// Makes a kernel file from an answer.
#pragma once

#include <string>
#include <string_view>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/proposers/llm/answer.h"

namespace evoke::llm {

// The text that `answer` makes of `base`, which need not be a kernel file that
// parses. Blocks apply one after another; each must match in one place only:
// line by line as it stands, else with other white space, in which case the
// new lines are indented like those they replace. Errors are one line that
// tells the model which block is wrong, where, and how.
Result<std::string> edited_text(const Answer& answer, std::string_view base);

// edited_text() as a kernel file: it parses, differs from `parent` only where
// it may, and by more than comments and layout both from `parent` and `base`.
// `path` names it in errors.
Result<KernelSource> edited_kernel(const Answer& answer, std::string_view base,
                                   const KernelSource& parent,
                                   std::string_view path);

}  // namespace evoke::llm
