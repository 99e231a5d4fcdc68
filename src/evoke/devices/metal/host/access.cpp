#include "evoke/devices/metal/host/access.h"

#include <fmt/format.h>

namespace evoke::metal::host {

std::string_view verb(Access kind) {
  switch (kind) {
    case Access::read:
      return "reads";
    case Access::write:
      return "writes";
    case Access::atomic:
      return "updates";
  }
  return "";
}

void Report::begin(const CodeMap* code, uint32_t launch, uint32_t threadgroup,
                   uint32_t moment) {
  code_ = code;
  base_ = code->base();
  launch_ = launch;
  threadgroup_ = threadgroup;
  begun_ = moment;
}

const Finding* Report::finding(const Accessor& who, FindingKind kind, int line,
                               const std::string& text) {
  finding_.kind = kind;
  finding_.threadgroup = threadgroup_;
  finding_.line = line;
  finding_.message = thread_name(who.thread) + " " + text;
  return &finding_;
}

std::string Report::where(uint32_t code) const {
  const int line = code_->line_of(code);
  return line > 0 ? fmt::format(" at line {}", line) : std::string();
}

std::string thread_name(std::size_t thread) {
  return fmt::format("thread {} (lane {} of simdgroup {})", thread, thread % 32,
                     thread / 32);
}

}  // namespace evoke::metal::host
