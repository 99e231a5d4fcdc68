// A report as a self-contained page, as Markdown, as JSON.
#pragma once

#include <string>

#include "evoke/base/json.h"
#include "evoke/report/report_data.h"

namespace evoke {

std::string to_html(const RunReport& report);
std::string to_markdown(const RunReport& report);
Json to_json(const RunReport& report);

}  // namespace evoke
