#include "evoke/interchange/packing.h"

#include <fmt/format.h>

namespace evoke {

Launch copy_launch(const std::string& kernel, const std::string& from,
                   const std::string& to, bool query) {
  Launch launch;
  launch.kernel = kernel;
  launch.reads = {from};
  launch.writes = {to};
  launch.threadgroups.fill(Expression::constant(1));
  launch.threads.fill(Expression::constant(1));
  launch.threadgroups[0] =
      Expression::parse(query ? "ceil_div(B * Hq * Lq * D, 256)"
                              : "ceil_div(B * Hkv * Lk * D, 256)")
          .value();
  launch.threads[0] = Expression::constant(256);
  return launch;
}

std::string copy_text(const std::string& to, const std::string& from,
                      bool query, bool packs) {
  const std::string& strided = packs ? from : to;
  const std::string place = fmt::format(
      "{0}[b * {0}_strides[0] + h * {0}_strides[1] + l * {0}_strides[2] + d]",
      strided);
  return fmt::format(
      "\n  const uint i = thread_position_in_grid.x;\n"
      "  if (i >= uint(B * {heads} * {length} * D)) return;\n"
      "  const uint d = i % D;\n"
      "  const uint l = i / D % {length};\n"
      "  const uint h = i / D / {length} % {heads};\n"
      "  const uint b = i / D / {length} / {heads};\n"
      "  {left} = {right};\n",
      fmt::arg("heads", query ? "Hq" : "Hkv"),
      fmt::arg("length", query ? "Lq" : "Lk"),
      fmt::arg("left", packs ? to + "[i]" : place),
      fmt::arg("right", packs ? place : from + "[i]"));
}

}  // namespace evoke
