// Small plots as inline SVG: axes, lines, bars, heat maps. No scripts, no
// fonts from elsewhere; colours are CSS variables of the page.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace evoke {

std::string escape_html(const std::string& text);

struct StepLine {  // constant until the next point, as the best is
  struct Point {
    double x = 0;
    double y = 0;
    double low = 0;
    double high = 0;
  };
  std::vector<Point> points;
};
// Best with its interval over a cloud of single scores; a line at y = 1.
std::string progress_plot(const StepLine& best,
                          const std::vector<std::pair<double, double>>& cloud,
                          double x_end, const std::string& x_label,
                          const std::string& y_label);

struct Bar {
  std::string label;
  double value = 0;  // its length is log-scaled between the smallest and this
  double low = 0;    // whiskers when low < high
  double high = 0;
  std::string text;
  int colour = 0;  // 0 candidate, 1-3 baselines, 4 roof
};
struct BarGroup {
  std::string label;
  std::vector<Bar> bars;
};
// Horizontal bars, logarithmic.
std::string bar_plot(const std::vector<BarGroup>& groups,
                     const std::string& title = "time per call, logarithmic");

struct HeatCell {
  int x = 0;
  int y = 0;
  double value = 0;
  std::string text;
};
std::string heat_map(const std::vector<HeatCell>& cells, int columns, int rows,
                     const std::string& x_label, const std::string& y_label);

}  // namespace evoke
