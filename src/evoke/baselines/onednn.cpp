// Baseline "onednn": attention composed of oneDNN's bfloat16 matmul and
// softmax primitives, which use AMX or AVX-512 BF16 where the CPU has them.
// Scores and softmax are float32, probabilities are rounded to bfloat16.
// Written for oneDNN 2.6 and later 2.x, what Debian 12 has.
#include <algorithm>
#include <exception>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>

#include "evoke/baselines/call_table.h"
#include "evoke/baselines/module.h"
#include "evoke/baselines/onednn_plan.h"

namespace evoke::baselines {
namespace {

struct PreparedCall {
  OnednnPlan* plan = nullptr;
  std::unique_ptr<OnednnCall> call;
};

class OnednnBaseline : public Baseline {
 public:
  explicit OnednnBaseline(int num_threads) : num_threads_(num_threads) {}

  std::string name() const override { return "onednn"; }
  std::string version() const override {
    const dnnl_version_t* version = dnnl_version();
    return std::to_string(version->major) + "." +
           std::to_string(version->minor) + "." +
           std::to_string(version->patch) + ", " +
           std::to_string(num_threads_) + " threads";
  }

  Result<CallId> prepare(const Shape& shape,
                         std::vector<BoundTensor> tensors) override {
    const Result<AttentionCall> bound = attention_call(shape, tensors);
    if (!bound) return error_of(bound);
    try {
      OnednnPlan& plan = plan_of(bound->geometry);
      return calls_.add({&plan, plan.bind(*bound)});
    } catch (const dnnl::error& error) {
      return failed("oneDNN refuses shape '" + shape.name + "' (" +
                    error.message +
                    "); it computes bfloat16 on CPUs with AVX-512 only");
    } catch (const std::exception& error) {
      return failed("oneDNN: " + std::string(error.what()));
    }
  }

  void release(CallId call) override { calls_.remove(call); }

  Result<void> run(std::span<const CallId> calls, bool /*collect*/) override {
    set_onednn_threads(num_threads_);  // a setting of the calling thread
    for (const CallId id : calls) {
      PreparedCall* prepared = calls_.find(id);
      if (prepared == nullptr) return calls_.unknown(id);
      try {
        prepared->call->run();
      } catch (const std::exception& error) {
        return failed("oneDNN: " + std::string(error.what()));
      }
    }
    return {};
  }

  std::string path_of(CallId id) const override {
    const PreparedCall* prepared = calls_.find(id);
    return prepared == nullptr ? std::string() : prepared->plan->describe();
  }

 private:
  OnednnPlan& plan_of(const Geometry& geometry) {
    std::unique_ptr<OnednnPlan>& plan = plans_[geometry];
    if (plan == nullptr) {
      plan = whole_decode_fits(geometry)
                 ? make_whole_decode(geometry, num_threads_)
                 : make_head_tiles(geometry, num_threads_);
    }
    return *plan;
  }

  int num_threads_;
  std::map<Geometry, std::unique_ptr<OnednnPlan>> plans_;
  CallTable<PreparedCall> calls_;  // before the plans they belong to
};

}  // namespace
}  // namespace evoke::baselines

EVOKE_BASELINE_MODULE void evoke_open_baseline(
    const std::string& /*name*/, int num_threads,
    evoke::Result<std::unique_ptr<evoke::Baseline>>* reply) {
  try {
    *reply = std::make_unique<evoke::baselines::OnednnBaseline>(num_threads);
  } catch (const std::exception& error) {
    *reply =
        evoke::failed("oneDNN does not start: " + std::string(error.what()));
  }
}
