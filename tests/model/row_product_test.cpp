#include "evoke/model/row_product.h"

#include <gtest/gtest.h>
#include <mlx/ops.h>
#include <mlx/random.h>

#include <utility>

#include "evoke/model/cpu_products.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

mx::array normal(const mx::Shape& shape, uint64_t seed) {
  return mx::random::normal(shape, mx::float32, mx::random::key(seed));
}

TEST(RowProduct, IsTheProduct) {
  if (!widens_products()) GTEST_SKIP() << "no OpenBLAS in front of MLX's BLAS";
  for (const auto& [rows, columns] :
       {std::pair{1, 1}, {7, 3}, {300, 64}, {65, 1000}, {2048, 512}}) {
    const mx::array weight = normal({rows, columns}, 1);
    // Contiguous, and every other number of a wider one.
    const mx::array wide = normal({1, 1, 2 * columns}, 2);
    for (const mx::array& x :
         {normal({1, 1, columns}, 3),
          mx::slice(wide, {0, 0, 0}, {1, 1, 2 * columns}, {1, 1, 2})}) {
      const mx::array product = row_product(x, weight);
      EXPECT_EQ(product.shape(), (mx::Shape{1, 1, rows}));
      EXPECT_TRUE(mx::allclose(product, mx::matmul(x, mx::transpose(weight)),
                               1e-4, 1e-4)
                      .item<bool>())
          << rows << " x " << columns;
    }
    const mx::array turned = mx::transpose(normal({columns, rows}, 4));
    const mx::array x = normal({columns}, 5);
    EXPECT_TRUE(mx::allclose(row_product(x, turned),
                             mx::matmul(x, mx::transpose(turned)), 1e-4, 1e-4)
                    .item<bool>());
  }
}

}  // namespace
}  // namespace evoke::model
