// Baseline "mlx-metal": mx.fast.scaled_dot_product_attention of MLX's Metal
// back end.
//
// Its best case: keys and values as slices of a cache whose capacity the judge
// chose, no copies, everything compiled before. The calls of a run are chained
// as a candidate's are (devices/metal/mlx_session.h), and evaluated at once.
#pragma once

#include <memory>

#include "evoke/baselines/baseline.h"
#include "evoke/devices/metal/mlx_backend.h"

namespace evoke::baselines {

std::unique_ptr<Baseline> make_mlx_metal_baseline(
    std::unique_ptr<metal::MlxBackend> backend);

}  // namespace evoke::baselines
