#include "evoke/model/row_product.h"

#include <dlfcn.h>
#include <mlx/allocator.h>
#include <mlx/backend/cpu/encoder.h>
#include <mlx/device.h>
#include <mlx/ops.h>
#include <mlx/primitives.h>
#include <mlx/utils.h>

#include <memory>
#include <stdexcept>
#include <vector>

namespace evoke::model {
namespace {

namespace mx = mlx::core;

// CBLAS, whose enumerations are these numbers everywhere.
constexpr int kRowMajor = 101;
constexpr int kNoTranspose = 111;
using Sgemv = void (*)(int order, int transpose, int rows, int columns,
                       float alpha, const float* matrix, int leading,
                       const float* x, int x_step, float beta, float* y,
                       int y_step);

Sgemv sgemv() {
  static const auto function =
      reinterpret_cast<Sgemv>(::dlsym(RTLD_DEFAULT, "cblas_sgemv"));
  return function;
}

// Inputs: x and the weight, both row contiguous.
class RowProduct : public mx::UnaryPrimitive {
 public:
  using mx::UnaryPrimitive::UnaryPrimitive;

  void eval_cpu(const std::vector<mx::array>& inputs,
                mx::array& output) override {
    output.set_data(mx::allocator::malloc(output.nbytes()));
    // MLX keeps the inputs until what is dispatched here has run.
    mx::cpu::get_command_encoder(stream()).dispatch(
        [x = inputs[0].data<float>(), weight = inputs[1].data<float>(),
         y = output.data<float>(), rows = inputs[1].shape(0),
         columns = inputs[1].shape(1)] {
          sgemv()(kRowMajor, kNoTranspose, rows, columns, 1, weight, columns, x,
                  1, 0, y, 1);
        });
  }
  void eval_gpu(const std::vector<mx::array>&, mx::array&) override {
    throw std::runtime_error("[RowProduct] runs on a CPU alone.");
  }
  const char* name() const override { return "RowProduct"; }
  bool is_equivalent(const mx::Primitive&) const override { return true; }
};

}  // namespace

mx::array row_product(const mx::array& x, const mx::array& weight) {
  if (sgemv() == nullptr) {
    throw std::runtime_error("[row_product] no BLAS was found.");
  }
  const mx::Stream stream = mx::default_stream(mx::Device::cpu);
  mx::Shape shape = x.shape();
  shape.back() = weight.shape(0);
  return {shape,
          mx::float32,
          std::make_shared<RowProduct>(stream),
          {mx::contiguous(x, false, stream),
           mx::contiguous(weight, false, stream)}};
}

}  // namespace evoke::model
