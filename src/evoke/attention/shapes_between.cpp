#include "evoke/attention/shapes_between.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "evoke/attention/shape.h"
#include "evoke/base/rng.h"

namespace evoke::attention {
namespace {

AttentionShape with_length(AttentionShape shape, int64_t length) {
  if (shape.Lq == shape.Lk) shape.Lq = length;
  shape.Lk = length;
  return shape;
}

struct Kind {
  AttentionShape first;
  std::set<int64_t> lengths;
};

void draw(Kind kind, int count, Rng& rng, std::vector<Shape>& shapes) {
  const int64_t shortest = *kind.lengths.begin();
  const int64_t longest = *kind.lengths.rbegin();
  const auto timed = static_cast<int64_t>(kind.lengths.size());
  int64_t wanted = std::min<int64_t>(count, longest - shortest + 1 - timed);
  while (wanted > 0) {
    const double log_range =
        std::log(static_cast<double>(longest) / static_cast<double>(shortest));
    const auto length = static_cast<int64_t>(
        static_cast<double>(shortest) * std::exp(rng.uniform() * log_range));
    if (!kind.lengths.insert(length).second) continue;
    shapes.push_back(to_shape(with_length(kind.first, length)));
    --wanted;
  }
}

}  // namespace

std::vector<Shape> shapes_between(std::span<const Shape> timed, int count,
                                  uint64_t seed) {
  std::vector<Kind> kinds;
  for (const Shape& each : timed) {
    const AttentionShape shape = from_shape(each);
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) {
      return with_length(k.first, shape.Lk) == shape;
    });
    if (kind == kinds.end()) kind = kinds.insert(kind, {shape, {}});
    kind->lengths.insert(shape.Lk);
  }
  std::vector<Shape> shapes;
  Rng rng(seed);
  for (const Kind& kind : kinds) draw(kind, count, rng, shapes);
  return shapes;
}

}  // namespace evoke::attention
