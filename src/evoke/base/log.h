// Logging: spdlog, to standard error for people and to a run's log file.
// Nothing that is evidence lives in a log; that is what the store is for.
#pragma once

#include <string>

namespace evoke {

// level: trace debug info warn error off. Throws UsageError on another word.
void set_log_level(const std::string& level);
// Also writes to `path` from now on (append); says so once if it cannot.
void add_log_file(const std::string& path);

void log_debug(const std::string& text);
void log_info(const std::string& text);
void log_warn(const std::string& text);
void log_error(const std::string& text);

}  // namespace evoke
