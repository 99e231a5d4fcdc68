#include "evoke/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace evoke {
namespace {

constexpr double kWidth = 760;

std::string text_at(double x, double y, const std::string& anchor,
                    const std::string& text, const char* style = "") {
  return fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>", x, y,
      anchor, style, escape_html(text));
}

std::string line(double x1, double y1, double x2, double y2,
                 const char* style) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" "
      "class=\"{}\"/>",
      x1, y1, x2, y2, style);
}

std::string open_svg(double width, double height, const std::string& title) {
  return fmt::format(
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
      "xmlns=\"http://www.w3.org/2000/svg\"><title>{}</title>",
      width, height, escape_html(title));
}

// A step of 1, 2 or 5 times a power of ten, for about `count` ticks.
double tick_step(double span, int count) {
  const double raw = span / count;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

struct Axis {
  double from = 0;
  double to = 1;
  double start = 0;  // pixels
  double end = 1;
  double operator()(double value) const {
    return start + (value - from) / (to - from) * (end - start);
  }
};

}  // namespace

std::string escape_html(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '"')
      escaped += "&quot;";
    else if (c == '\'')
      escaped += "&#39;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
      escaped += "&#xfffd;";  // control characters are not allowed in HTML
    } else
      escaped += c;
  }
  return escaped;
}

std::string progress_plot(const StepLine& best,
                          const std::vector<std::pair<double, double>>& cloud,
                          double x_end, const std::string& x_label,
                          const std::string& y_label) {
  constexpr double kHeight = 300;
  double low = 1;
  double high = 1;
  for (const auto& point : best.points) {
    low = std::min(low, point.low);
    high = std::max(high, point.high);
  }
  for (const auto& [x, y] : cloud) high = std::max(high, y);
  low = std::max(low - 0.1, 0.0);  // far worse candidates are cut off
  high += 0.05 * (high - low) + 1e-3;
  const Axis x{0, std::max(x_end, 1.0), 52, kWidth - 14};
  const Axis y{low, high, kHeight - 40, 12};
  std::string svg = open_svg(kWidth, kHeight, y_label + " over " + x_label);
  const double y_step = tick_step(high - low, 6);
  for (double v = std::ceil(low / y_step) * y_step; v <= high; v += y_step) {
    svg += line(x.start, y(v), x.end, y(v), "grid");
    svg += text_at(x.start - 6, y(v) + 4, "end", fmt::format("{:.3g}", v));
  }
  const double x_step = tick_step(x.to, 8);
  for (double v = 0; v <= x.to; v += x_step) {
    svg += text_at(x(v), kHeight - 22, "middle", fmt::format("{:.0f}", v));
  }
  svg += text_at((x.start + x.end) / 2, kHeight - 4, "middle", x_label);
  svg += line(x.start, y(1), x.end, y(1), "one");
  for (const auto& [px, py] : cloud) {
    if (py < low) continue;
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"1.8\" "
        "class=\"cloud\"/>",
        x(px), y(py));
  }
  std::string path;
  for (std::size_t i = 0; i < best.points.size(); ++i) {
    const auto& point = best.points[i];
    const double until =
        i + 1 < best.points.size() ? best.points[i + 1].x : x.to;
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\" class=\"band\"/>",
        x(point.x), y(point.high), x(until) - x(point.x),
        std::max(1.0, y(point.low) - y(point.high)));
    path += fmt::format("{}{:.1f} {:.1f}H{:.1f}", i ? "L" : "M", x(point.x),
                        y(point.y), x(until));
  }
  if (!path.empty()) {
    svg += fmt::format("<path d=\"{}\" class=\"best\"/>", path);
  }
  return svg + "</svg>";
}

std::string bar_plot(const std::vector<BarGroup>& groups,
                     const std::string& title) {
  constexpr double kBar = 16;
  constexpr double kGap = 12;
  constexpr double kLabel = 180;
  double smallest = 1e300;
  double largest = 0;
  double height = 8;
  for (const BarGroup& group : groups) {
    height += 18 + kBar * static_cast<double>(group.bars.size()) + kGap;
    for (const Bar& bar : group.bars) {
      if (!(bar.value > 0)) continue;
      smallest = std::min(smallest, bar.value);
      largest = std::max({largest, bar.value, bar.high});
    }
  }
  if (largest <= 0) return {};
  const double from = std::log(smallest) - 0.35;
  const Axis x{from, std::max(std::log(largest), from + 0.1), kLabel,
               kWidth - 90};
  std::string svg = open_svg(kWidth, height, title);
  double y = 8;
  for (const BarGroup& group : groups) {
    svg += text_at(4, y + 12, "start", group.label, " class=\"strong\"");
    y += 18;
    for (const Bar& bar : group.bars) {
      svg += text_at(kLabel - 8, y + 12, "end", bar.label);
      if (bar.value > 0) {
        const double end = x(std::log(bar.value));
        double text = end;
        svg += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
            "height=\"{:.1f}\" rx=\"2\" class=\"bar{}\"/>",
            x.start, y + 2, end - x.start, kBar - 4, bar.colour);
        if (bar.low > 0 && bar.low < bar.high) {
          svg += line(x(std::log(bar.low)), y + kBar / 2, x(std::log(bar.high)),
                      y + kBar / 2, "whisker");
          text = std::max(text, x(std::log(bar.high)));
        }
        svg += text_at(text + 6, y + 12, "start", bar.text);
      }
      y += kBar;
    }
    y += kGap;
  }
  return svg + "</svg>";
}

std::string heat_map(const std::vector<HeatCell>& cells, int columns, int rows,
                     const std::string& x_label, const std::string& y_label) {
  if (columns < 1 || rows < 1) return {};
  const double cell = std::min(64.0, (kWidth - 60) / columns);
  const double cell_height = std::min(34.0, cell);
  const double height = cell_height * rows + 30;
  double low = 1e300;
  double high = 0;
  for (const HeatCell& each : cells) {
    low = std::min(low, each.value);
    high = std::max(high, each.value);
  }
  std::string svg =
      open_svg(kWidth, height, "elites by " + x_label + " and " + y_label);
  for (int x = 0; x < columns; ++x) {
    for (int y = 0; y < rows; ++y) {
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
          "height=\"{:.1f}\" class=\"cell\"/>",
          40 + x * cell, (rows - 1 - y) * cell_height, cell - 2,
          cell_height - 2);
    }
  }
  for (const HeatCell& each : cells) {
    const double share = high > low ? (each.value - low) / (high - low) : 1.0;
    const double left = 40 + each.x * cell;
    const double top = (rows - 1 - each.y) * cell_height;
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
        "class=\"elite\" style=\"opacity:{:.2f}\"/>",
        left, top, cell - 2, cell_height - 2, 0.25 + 0.75 * share);
    svg += text_at(left + cell / 2 - 1, top + cell_height / 2 + 4, "middle",
                   each.text, " class=\"on\"");
  }
  svg += text_at(40 + cell * columns / 2, height - 8, "middle", x_label);
  svg += fmt::format(
      "<text transform=\"translate(24,{:.0f}) rotate(-90)\" "
      "text-anchor=\"middle\">{}</text>",
      cell_height * rows / 2, escape_html(y_label));
  return svg + "</svg>";
}

}  // namespace evoke
