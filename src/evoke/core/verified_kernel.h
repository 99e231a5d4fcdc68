// A kernel that passed the gate, with the very objects it passed with: what a
// process that did not judge it may load. One file per kernel, device and
// heads, written by whoever ran the gate and read by evoke_model.
//
// The file ends with a hash of its own content, so a damaged or hand-edited
// one counts as absent. It keeps mistakes out, not its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"

namespace evoke {

struct VerifiedUnit {
  CompileUnit unit;
  std::vector<std::byte> artifact;  // of Compiler::compile
};

struct VerifiedKernel {
  std::string kernel_hash;  // KernelSource::hash()
  std::string device;       // "cpu"
  std::string heads;        // what it was judged for: heads_label()
  DeviceLimits limits;      // that its plans were resolved with
  std::string compiler_id;
  std::string gate;  // "full gate, 118 cases, 2026-11-28T14:02:11Z"
  std::vector<VerifiedUnit> units;

  // Null: this unit was not judged.
  const VerifiedUnit* find(const CompileUnit& unit) const;
};

// "16-8-128": query heads, key-value heads, head_dim.
std::string heads_label(int64_t num_q_heads, int64_t num_kv_heads,
                        int64_t head_dim);
// $XDG_CACHE_HOME/evoke/verified, or ~/.cache/evoke/verified.
std::string default_verified_folder();

// Makes the folder; replaces an older record of the same kernel.
Result<void> write_verified_kernel(const std::string& folder,
                                   const VerifiedKernel& kernel);
// `absent`: no such record, a damaged one, or one of another format; the
// message names the command that makes it.
Result<VerifiedKernel> read_verified_kernel(const std::string& folder,
                                            const KernelSource& kernel,
                                            const std::string& heads);

}  // namespace evoke
