// Compiles kernels of the metal dialect with Metal's own compiler, through
// MLX.
#pragma once

#include <memory>
#include <string>

#include "evoke/devices/device.h"
#include "evoke/devices/metal/mlx_backend.h"

namespace evoke::metal {

class MlxCompiler : public Compiler {
 public:
  explicit MlxCompiler(std::unique_ptr<MlxBackend> backend);
  std::string id() const override;
  CompileReply compile(const KernelSource& kernel,
                       const ProblemSignature& signature,
                       const CompileUnit& unit) override;

 private:
  std::unique_ptr<MlxBackend> backend_;
};

}  // namespace evoke::metal
