// Metal kernels on a host without Metal: read as strictly as Metal reads them,
// then compiled to code that runs with Metal's semantics in the executor.
//
//   kernel file -> MLX's text (metal/assemble.h) -> lints
//     -> syntax with address spaces      (1)   at once, one clang each, with
//     -> strict types, optimised object  (2)   a precompiled shim
//     -> object with watched accesses    (3)
//   -> artifact of both objects
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "evoke/devices/device.h"
#include "evoke/devices/metal/host/lints.h"
#include "evoke/devices/metal/host/toolchain.h"

namespace evoke::metal::host {

struct CompilerOptions {
  // Where it may write; shared by all processes that name the same folder.
  // Empty: a folder of its own under TMPDIR, removed at the end.
  std::string folder;
  MetalVersion version = MetalVersion::v3_1;
  std::size_t max_messages = 12;
  int64_t time_limit_ms = 20'000;  // of one compile
  int64_t memory_limit_bytes = int64_t{2} << 30;
};

class HostCompiler final : public Compiler {
 public:
  // `absent`: no clang 19 on this machine.
  static Result<std::unique_ptr<HostCompiler>> open(
      const CompilerOptions& options);
  ~HostCompiler() override;

  std::string id() const override;
  // Usable from several threads.
  CompileReply compile(const KernelSource& kernel,
                       const ProblemSignature& signature,
                       const CompileUnit& unit) override;

 private:
  struct Step;
  HostCompiler(Toolchain toolchain, CompilerOptions options);
  std::string shim_folder() const;
  Result<void> ensure_shim();
  static Result<void> write_shim(const std::string& folder);
  Result<void> precompile(Reading reading, const std::string& folder) const;
  CompileReply compile_in(const std::string& folder, const KernelSource& kernel,
                          const ProblemSignature& signature,
                          const CompileUnit& unit);
  Step run_step(const std::vector<std::string>& arguments,
                const std::string& folder, int64_t time_limit_ms) const;
  Step read_unit(Reading reading, const std::string& folder) const;
  // The syntax tree of the kernels, as text.
  Step dump_unit(const std::string& folder) const;

  Toolchain toolchain_;
  CompilerOptions options_;
  std::string shim_hash_;
  bool owns_folder_ = false;
  std::mutex shim_mutex_;
  bool shim_ready_ = false;
  std::atomic<int> next_unit_{0};
};

}  // namespace evoke::metal::host
