// The interface of a problem: what a kernel computes, on which shapes, and
// how its answers are judged. Attention is the first; judge, runner and
// evolution know only this header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/expression.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/tensor.h"

namespace evoke {

struct TensorDeclaration {
  std::string name;  // as kernels and plans call it
  DType type = DType::bfloat16;
  std::vector<std::string> shape;  // shape letters, outermost first
  bool output = false;
};

// The vocabulary that a problem gives to kernel files.
struct ProblemSignature {
  std::string name;  // "attention"
  std::vector<TensorDeclaration> tensors;
  std::vector<std::string> constants;  // compile-time letters: D Hq Hkv causal
  std::vector<std::string> sizes;      // run-time integers: B Lq Lk
  std::vector<std::string> scalars;    // run-time floats: scale
};

// One size of the problem.
struct Shape {
  std::string name;                      // "decode-4096", unique in a workload
  Symbols values;                        // every constant and size
  std::map<std::string, float> scalars;  // every scalar
};

struct WorkloadShape {
  Shape shape;
  double weight = 1.0;  // of this shape's log speed-up in the fitness
};

struct Workload {
  std::string name;
  std::vector<WorkloadShape> shapes;
};

// What the hardware cannot do faster than: bytes that must be read and
// written, and arithmetic, for one call at one shape.
struct WorkEstimate {
  double bytes = 0;
  double flops = 0;
};

// One thing the gate tries: a shape, a kind of input ("normal", "needle"),
// and how the tensors lie in memory ("contiguous", "cache", "transposed").
struct GateCase {
  Shape shape;
  std::string input;
  std::string layout;
  std::string label() const;  // "decode-4096/needle/cache"
};

enum class GateLevel {
  screen,  // a few small cases, milliseconds
  gate,    // the published subset: by itself rejects every known mutant
  full,    // everything; confirmation and `evoke verify`
};

enum class CheckVerdict { right, wrong, out_of_bounds };

// What comparing one output with the truth gave. Ratios are the error divided
// by its limit: above 1 is wrong; NaN counts as wrong.
struct CheckReport {
  CheckVerdict verdict = CheckVerdict::wrong;
  double row_ratio = 0;      // worst row's relative L2
  double mean_ratio = 0;     // mean absolute error
  double element_ratio = 0;  // largest absolute error
  std::string message;       // one line, fit for a prompt; empty when right
};

// Inputs and knowledge of the right answer for one case and one seed. Lives
// in the judge only. Immutable once made, so usable from several threads.
class PreparedCase {
 public:
  virtual ~PreparedCase() = default;
  virtual const GateCase& gate_case() const = 0;
  // In the signature's order.
  virtual const std::vector<TensorLayout>& tensors() const = 0;
  // Writes tensor `index` with its guard bands into `allocation`
  // (tensors()[index].allocation_bytes long). Outputs are filled with NaN.
  virtual void write(std::size_t index,
                     std::span<std::byte> allocation) const = 0;
  // Judges the output allocation after a call. Guard bands that changed or
  // elements that still hold the poison are `out_of_bounds` and `wrong`.
  virtual CheckReport check(std::span<const std::byte> output) const = 0;
};

// Copies of one workload shape with different values, rotated while timing so
// that a cold call finds its inputs in memory and not in a cache.
class TimingSet {
 public:
  virtual ~TimingSet() = default;
  virtual const Shape& shape() const = 0;
  virtual int num_copies() const = 0;
  // The same layout for every copy (the baseline's best case: a cache whose
  // capacity is a multiple of 256).
  virtual const std::vector<TensorLayout>& tensors() const = 0;
  virtual void write(int copy, std::size_t index,
                     std::span<std::byte> allocation) const = 0;
  // Computes what check() compares with, unless it is known already.
  virtual void find_truth(int copy) const = 0;
  // On up to `num_threads` threads.
  virtual CheckReport check(int copy, std::span<const std::byte> output,
                            int num_threads) const = 0;
};

class Problem {
 public:
  virtual ~Problem() = default;
  virtual const ProblemSignature& signature() const = 0;
  // A named workload ("quick"), or a TOML file's path.
  virtual Result<Workload> workload(const std::string& name_or_path) const = 0;
  // The cases that `kernel` must pass to be timed on `workload`. Depends on
  // the kernel's variants and tiles, never on its source text.
  virtual std::vector<GateCase> gate_cases(const KernelSource& kernel,
                                           const Workload& workload,
                                           GateLevel level) const = 0;
  virtual std::shared_ptr<const PreparedCase> prepare(const GateCase& gate_case,
                                                      uint64_t seed) const = 0;
  // At most `max_copies` copies whose inputs together fill `total_bytes`; of
  // more than 8 copies a multiple of 8.
  virtual std::shared_ptr<const TimingSet> prepare_timing(
      const Shape& shape, int64_t total_bytes, int max_copies,
      uint64_t seed) const = 0;
  virtual WorkEstimate work(const Shape& shape) const = 0;
  // Up to `count` sizes between those timed, of each kind among them: they show
  // whether a kernel is only good where it is looked at.
  virtual std::vector<Shape> shapes_between(std::span<const Shape> timed,
                                            int count, uint64_t seed) const = 0;
};

}  // namespace evoke
