// A kernel file in the model's place for attention. Start here for the hook.
//
// Only a kernel that passed the gate gets in, as the objects it passed with.
// Shapes it cannot take go to the fallback, counted and named. What it did is
// counted when it has run: the model's own count of forward passes is what
// the two are held against (core/attestation.h).
#pragma once

#include <memory>

#include "evoke/base/error.h"
#include "evoke/core/attestation.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/problem.h"
#include "evoke/core/verified_kernel.h"
#include "evoke/model/attention_op.h"
#include "evoke/model/hook/kernel_launcher.h"

namespace evoke::model {

class KernelHook {
 public:
  // Loads every unit of `verified`. `failed`: it is a record of another text,
  // or of another device than `launcher`'s.
  static Result<std::unique_ptr<KernelHook>> open(
      const KernelSource& kernel, const VerifiedKernel& verified,
      const ProblemSignature& signature,
      std::unique_ptr<KernelLauncher> launcher, AttentionOp fallback);
  ~KernelHook();

  // May be copied; outlives this object. Belongs to the launcher's thread.
  AttentionOp op() const;

  // All calls that have run so far; `expected` and `num_layers` are the
  // model's to fill in. Waits for the launcher's stream;
  // throws what KernelLauncher::check() does.
  Attestation attestation() const;

 private:
  struct State;
  explicit KernelHook(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace evoke::model
