#include "evoke/devices/metal/mlx_compiler.h"

#include <utility>

#include "evoke/base/clock.h"
#include "evoke/devices/metal/artifact.h"
#include "evoke/devices/metal/assemble.h"

namespace evoke::metal {

MlxCompiler::MlxCompiler(std::unique_ptr<MlxBackend> backend)
    : backend_(std::move(backend)) {}

std::string MlxCompiler::id() const {
  return backend_->description() + ", math_mode safe";
}

CompileReply MlxCompiler::compile(const KernelSource& kernel,
                                  const ProblemSignature& signature,
                                  const CompileUnit& unit) {
  CompileReply reply;
  const double start_ms = monotonic_ms();
  const auto assembly = assemble(kernel, signature, unit);
  if (!assembly) {
    reply.status = CompileReply::Status::rejected;
    reply.diagnostics = assembly.error().message;
    return reply;
  }
  std::size_t bytes = 0;
  for (const AssembledKernel& each : assembly->kernels) {
    bytes += each.source.text.size();
    const auto compiled = backend_->compile(each.mlx);
    if (compiled) continue;
    reply.status = compiled.error().kind == ErrorKind::absent
                       ? CompileReply::Status::unavailable
                       : CompileReply::Status::failed;
    reply.diagnostics =
        "KERNEL(" + each.kernel + "): " + compiled.error().message;
    reply.elapsed_ms = monotonic_ms() - start_ms;
    return reply;
  }
  reply.status = CompileReply::Status::ok;
  reply.artifact = to_artifact(*assembly);
  reply.report = {{"source_bytes", bytes},
                  {"kernels", assembly->kernels.size()}};
  reply.elapsed_ms = monotonic_ms() - start_ms;
  return reply;
}

}  // namespace evoke::metal
