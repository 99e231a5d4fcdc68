// The cpu device's Compiler: the system's own, with fixed flags, in a folder
// of its own.
//
//   kernel file -> C++ (assemble) -> assembly, read (assembly_check)
//               -> shared object, read (object_check) -> artifact
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "evoke/devices/cpu/toolchain.h"
#include "evoke/devices/device.h"

namespace evoke::cpu {

struct CompilerOptions {
  // Where it may write. The prelude is compiled there once and shared by all
  // processes that name the same folder. Empty: a folder of its own under
  // TMPDIR, removed at the end.
  std::string folder;
  int64_t time_limit_ms = 10'000;  // of one compile
  int64_t memory_limit_bytes = int64_t{2} << 30;
  // After the fixed flags: "-march=x86-64-v3" shows how a kernel fares on
  // another machine.
  std::vector<std::string> extra_flags;
};

class CpuCompiler final : public Compiler {
 public:
  // `absent`: no compiler on this machine.
  static Result<std::unique_ptr<CpuCompiler>> open(
      const CompilerOptions& options);
  ~CpuCompiler() override;

  std::string id() const override;
  // Usable from several threads. A limit of time, memory or files gives
  // `timed_out`: such a reply says nothing lasting about the kernel.
  CompileReply compile(const KernelSource& kernel,
                       const ProblemSignature& signature,
                       const CompileUnit& unit) override;

  const Toolchain& toolchain() const { return toolchain_; }

 private:
  struct Step;
  CpuCompiler(Toolchain toolchain, CompilerOptions options);
  std::string prelude_folder() const;
  Result<void> ensure_prelude();
  Result<void> make_prelude(const std::string& folder);
  CompileReply compile_in(const std::string& folder, const KernelSource& kernel,
                          const std::string& source);
  Step link(const std::string& folder, bool with_symbols,
            int64_t time_limit_ms) const;
  Step run_step(const std::vector<std::string>& arguments,
                const std::string& folder, int64_t time_limit_ms) const;

  Toolchain toolchain_;
  CompilerOptions options_;
  std::string prelude_hash_;
  bool owns_folder_ = false;
  std::mutex prelude_mutex_;
  bool prelude_ready_ = false;
  std::atomic<int> next_unit_{0};
};

}  // namespace evoke::cpu
