#include "evoke/attention/roofline.h"

namespace evoke::attention {

WorkEstimate work_of(const AttentionShape& shape) {
  constexpr double kElementBytes = 2;
  const auto B = static_cast<double>(shape.B);
  const auto D = static_cast<double>(shape.D);
  const auto queries = B * static_cast<double>(shape.Hq * shape.Lq) * D;
  const auto seen = static_cast<double>(shape.visible_keys(shape.Lq - 1));
  const auto keys = B * static_cast<double>(shape.Hkv) * seen * D;
  WorkEstimate work;
  work.bytes = kElementBytes * (2 * queries + 2 * keys);
  work.flops = 4 * D * static_cast<double>(shape.key_rows());
  return work;
}

}  // namespace evoke::attention
