#include "evoke/core/kernel_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "evoke/base/utf8.h"
#include "evoke/core/kernel_source.h"

namespace evoke {
namespace {

int line_at(std::string_view text, std::size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(offset);
  return 1 + static_cast<int>(std::count(text.begin(), end, '\n'));
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string normalised(std::string_view raw) {
  if (raw.starts_with("\xef\xbb\xbf")) raw.remove_prefix(3);
  std::string text;
  text.reserve(raw.size() + 1);
  const auto end_line = [&] {
    while (!text.empty() && is_blank(text.back())) text.pop_back();
    text.push_back('\n');
  };
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '\r') {
      if (i + 1 < raw.size() && raw[i + 1] == '\n') ++i;
      end_line();
    } else if (raw[i] == '\n') {
      end_line();
    } else {
      text.push_back(raw[i]);
    }
  }
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\n')) {
    text.pop_back();
  }
  text.push_back('\n');
  return text;
}

Result<void> check_characters(std::string_view text, std::string_view path) {
  const auto fail = [&](std::size_t at, std::string_view what) {
    return failed(fmt::format("{}:{}: {}", path, line_at(text, at), what));
  };
  const std::size_t invalid = find_invalid_utf8(text);
  if (invalid != std::string_view::npos) {
    return fail(invalid, "not UTF-8; save the file as UTF-8 text");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
      return fail(i, fmt::format("control character {:#04x}; remove it", byte));
    }
  }
  const std::size_t turn = find_direction_change(text);
  if (turn != std::string_view::npos) {
    return fail(turn, "a character that changes text direction; remove it");
  }
  return {};
}

Result<void> check_markers(std::string_view code, int first_line,
                           std::string_view path) {
  bool inside = false;
  int line = first_line;
  int last_start = 0;
  for (std::size_t at = 0; at < code.size(); ++line) {
    const std::size_t end = std::min(code.find('\n', at), code.size());
    const std::string_view text = code.substr(at, end - at);
    const bool starts = text.find(KernelSource::kBlockStart) != text.npos;
    const bool ends = text.find(KernelSource::kBlockEnd) != text.npos;
    if (starts && ends) {
      return failed(fmt::format(
          "{}:{}: two EVOLVE-BLOCK markers on one line; give each its own",
          path, line));
    }
    if ((starts && inside) || (ends && !inside)) {
      return failed(fmt::format(
          "{}:{}: {} without {} before it; markers come in pairs", path, line,
          starts ? KernelSource::kBlockStart : KernelSource::kBlockEnd,
          starts ? KernelSource::kBlockEnd : KernelSource::kBlockStart));
    }
    if (starts) last_start = line;
    inside = starts || (inside && !ends);
    at = end + 1;
  }
  if (inside) {
    return failed(fmt::format("{}:{}: {} without {} after it", path, last_start,
                              KernelSource::kBlockStart,
                              KernelSource::kBlockEnd));
  }
  return {};
}

}  // namespace

Result<KernelText> split_kernel_text(std::string_view raw,
                                     std::string_view path) {
  if (raw.size() > KernelSource::kMaxBytes) {
    return failed(fmt::format("{}: {} bytes; a kernel file has at most {}",
                              path, raw.size(), KernelSource::kMaxBytes));
  }
  KernelText split;
  split.text = normalised(raw);
  const std::string_view text = split.text;
  if (const auto checked = check_characters(text, path); !checked) {
    return error_of(checked);
  }

  const std::size_t start =
      std::min(text.find_first_not_of(" \t\n"), text.size() - 1);
  if (!text.substr(start).starts_with(kPlanStart)) {
    return failed(
        fmt::format("{}:{}: no plan; a kernel file begins with {} "
                    "and a plan in TOML",
                    path, line_at(text, start), kPlanStart));
  }
  split.plan_offset = start + kPlanStart.size();
  split.plan_line = line_at(text, start);
  const std::size_t close = text.find("*/", split.plan_offset);
  if (close == std::string_view::npos) {
    return failed(fmt::format("{}:{}: the plan does not end; close it with {}",
                              path, split.plan_line, kPlanEnd));
  }
  split.code_offset = close + 2;
  split.code_line = line_at(text, close);
  const std::size_t plan_end = split.code_offset - kPlanEnd.size();
  if (plan_end < split.plan_offset ||
      text.substr(plan_end, kPlanEnd.size()) != kPlanEnd) {
    return failed(fmt::format(
        "{}:{}: '*/' ends the plan's comment here; close it with {}", path,
        split.code_line, kPlanEnd));
  }
  split.plan_size = plan_end - split.plan_offset;
  if (const auto checked = check_markers(split.code(), split.code_line, path);
      !checked) {
    return error_of(checked);
  }
  return split;
}

std::vector<TextSegment> segments_of(std::string_view code, int first_line) {
  std::vector<TextSegment> segments;
  TextSegment segment{false, first_line, {}};
  int line = first_line;
  for (std::size_t at = 0; at < code.size(); ++line) {
    const std::size_t end = std::min(code.find('\n', at), code.size());
    const std::string_view text = code.substr(at, end - at);
    at = end + 1;
    if (text.find(KernelSource::kBlockEnd) != text.npos) {
      segments.push_back(std::move(segment));
      segment = {false, line, {}};
    }
    segment.lines.push_back(text);
    if (text.find(KernelSource::kBlockStart) != text.npos) {
      segments.push_back(std::move(segment));
      segment = {true, line + 1, {}};
    }
  }
  segments.push_back(std::move(segment));
  if (segments.size() == 1) segments[0].mutable_text = true;
  return segments;
}

}  // namespace evoke
