// The Python program that records, as text.
#pragma once

#include <string_view>

namespace evoke {

extern const std::string_view kRecordProgram;  // record_program.py

}  // namespace evoke
