#include "evoke/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "evoke/base/error.h"

namespace evoke {
namespace {

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>(
        "evoke", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("evoke: %l: %v");
    made->set_level(spdlog::level::warn);
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return *instance;
}

}  // namespace

void set_log_level(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off") {
    throw UsageError("--log-level " + level +
                     ": use trace, debug, info, warn, error or off");
  }
  logger().set_level(parsed);
}

void add_log_file(const std::string& path) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    logger().sinks().push_back(std::move(sink));
  } catch (const spdlog::spdlog_ex& error) {
    log_warn(std::string("no log file: ") + error.what());
  }
}

void log_debug(const std::string& text) { logger().debug(text); }
void log_info(const std::string& text) { logger().info(text); }
void log_warn(const std::string& text) { logger().warn(text); }
void log_error(const std::string& text) { logger().error(text); }

}  // namespace evoke
