// The cuda device's Compiler: NVRTC with fixed flags.
//
//   kernel file -> CUDA C++ (assemble) -> NVRTC, in a child -> PTX, read
//   (ptx_check) -> cubin, read (cubin) -> artifact and resource report
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evoke/devices/cuda/compile_log.h"
#include "evoke/devices/cuda/cubin.h"
#include "evoke/devices/cuda/nvrtc_process.h"
#include "evoke/devices/cuda/occupancy.h"
#include "evoke/devices/device.h"

namespace evoke::cuda {

struct CompilerOptions {
  std::string architecture = "sm_90a";
  DeviceLimits limits;
  SmLimits sm;         // for the occupancy in reports
  std::string folder;  // for the disassembler's input; empty: none is run
  NvrtcLimits process;
};

class CudaCompiler final : public Compiler {
 public:
  CudaCompiler(std::shared_ptr<const Nvrtc> nvrtc, CompilerOptions options);

  std::string id() const override;
  // The report: see docs/kernel-file.md. A limit of time or memory gives
  // `timed_out`.
  CompileReply compile(const KernelSource& kernel,
                       const ProblemSignature& signature,
                       const CompileUnit& unit) override;

  const Nvrtc& nvrtc() const { return *nvrtc_; }

 private:
  CompileReply compile_source(const KernelSource& kernel,
                              const CompileUnit& unit, std::string source);
  CompileReply judge(const KernelSource& kernel, const CompileUnit& unit,
                     NvrtcReply compiled);
  Result<void> add_report(const KernelSource& kernel, const CompileUnit& unit,
                          const NvrtcReply& compiled, const CompileLog& log,
                          const CubinFacts& facts, Json& report);

  std::shared_ptr<const Nvrtc> nvrtc_;
  CompilerOptions options_;
  std::vector<std::string> flags_;
  std::string prelude_hash_;
  std::string disassembler_;  // empty: there is none
};

}  // namespace evoke::cuda
