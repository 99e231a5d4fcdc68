#include "evoke/attention/problem.h"

#include "evoke/attention/attention_case.h"
#include "evoke/attention/gate_cases.h"
#include "evoke/attention/roofline.h"
#include "evoke/attention/shape.h"
#include "evoke/attention/shapes_between.h"
#include "evoke/attention/timing_copies.h"
#include "evoke/attention/workload.h"

namespace evoke {
namespace {

ProblemSignature make_signature() {
  ProblemSignature signature;
  signature.name = "attention";
  signature.tensors = {
      {"query", DType::bfloat16, {"B", "Hq", "Lq", "D"}, false},
      {"key", DType::bfloat16, {"B", "Hkv", "Lk", "D"}, false},
      {"value", DType::bfloat16, {"B", "Hkv", "Lk", "D"}, false},
      {"output", DType::bfloat16, {"B", "Hq", "Lq", "D"}, true}};
  signature.constants = {"D", "Hq", "Hkv", "causal"};
  signature.sizes = {"B", "Lq", "Lk"};
  signature.scalars = {"scale"};
  return signature;
}

class AttentionProblem : public Problem {
 public:
  const ProblemSignature& signature() const override { return signature_; }

  Result<Workload> workload(const std::string& name_or_path) const override {
    return attention::find_workload(name_or_path);
  }

  std::vector<GateCase> gate_cases(const KernelSource& kernel,
                                   const Workload& workload,
                                   GateLevel level) const override {
    auto cases = attention::make_gate_cases(attention::reach_of(kernel),
                                            workload, level);
    if (kernel.dialect() == Dialect::cpu) {
      for (GateCase& each : cases) {
        if (each.layout == "cache") each.layout = "mlx";
      }
    }
    return cases;
  }

  std::shared_ptr<const PreparedCase> prepare(const GateCase& gate_case,
                                              uint64_t seed) const override {
    return std::make_shared<attention::AttentionCase>(gate_case, seed);
  }

  std::shared_ptr<const TimingSet> prepare_timing(
      const Shape& shape, int64_t total_bytes, int max_copies,
      uint64_t seed) const override {
    return std::make_shared<attention::TimingCopies>(shape, total_bytes,
                                                     max_copies, seed);
  }

  WorkEstimate work(const Shape& shape) const override {
    return attention::work_of(attention::from_shape(shape));
  }

  std::vector<Shape> shapes_between(std::span<const Shape> timed, int count,
                                    uint64_t seed) const override {
    return attention::shapes_between(timed, count, seed);
  }

 private:
  ProblemSignature signature_ = make_signature();
};

}  // namespace

std::unique_ptr<Problem> make_attention_problem() {
  return std::make_unique<AttentionProblem>();
}

}  // namespace evoke
