#include "evoke/baselines/mlx_metal.h"

#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "evoke/baselines/attention_call.h"
#include "evoke/baselines/call_table.h"
#include "evoke/baselines/module.h"
#include "evoke/devices/metal/mlx_session.h"

namespace evoke::baselines {
namespace {

using metal::ArrayId;
using metal::MlxBackend;

struct MlxCall {
  Geometry geometry;
  TensorLayout query_layout;
  ArrayId query = 0;
  ArrayId key = 0;
  ArrayId value = 0;
  BoundTensor output;
};

// Arrays of one run.
class Temporaries {
 public:
  explicit Temporaries(MlxBackend& backend) : backend_(backend) {}
  ~Temporaries() {
    for (const ArrayId id : ids_) backend_.release(id);
  }
  Temporaries(const Temporaries&) = delete;
  Temporaries& operator=(const Temporaries&) = delete;
  Result<ArrayId> keep(Result<ArrayId> id) {
    if (id) ids_.push_back(*id);
    return id;
  }

 private:
  MlxBackend& backend_;
  std::vector<ArrayId> ids_;
};

class MlxMetalBaseline : public Baseline {
 public:
  explicit MlxMetalBaseline(std::unique_ptr<MlxBackend> backend)
      : backend_(std::move(backend)) {}

  std::string name() const override { return "mlx-metal"; }
  std::string version() const override { return backend_->description(); }

  Result<CallId> prepare(const Shape& shape,
                         std::vector<BoundTensor> tensors) override {
    const Result<AttentionCall> bound = attention_call(shape, tensors);
    if (!bound) return error_of(bound);
    MlxCall call;
    call.geometry = bound->geometry;
    for (const auto& [name, array] :
         {std::pair{"query", &call.query}, std::pair{"key", &call.key},
          std::pair{"value", &call.value}}) {
      const BoundTensor& tensor = named(tensors, name);
      auto uploaded = backend_->upload(tensor);
      if (!uploaded) {
        release_inputs(call);
        return error_of(uploaded);
      }
      *array = *uploaded;
    }
    call.query_layout = named(tensors, "query").layout;
    call.output = named(tensors, "output");
    // What MLX compiles for a shape it compiles in its first evaluation.
    if (warmed_.insert(call.geometry).second) {
      if (auto warm = run_all({&call, &call}, false); !warm) {
        release_inputs(call);
        return error_of(warm);
      }
    }
    return calls_.add(std::move(call));
  }

  void release(CallId id) override {
    if (const MlxCall* call = calls_.find(id)) release_inputs(*call);
    calls_.remove(id);
  }

  Result<void> run(std::span<const CallId> ids, bool collect) override {
    std::vector<MlxCall*> calls;
    for (const CallId id : ids) {
      calls.push_back(calls_.find(id));
      if (calls.back() == nullptr) return calls_.unknown(id);
    }
    return run_all(calls, collect);
  }

  std::string path_of(CallId id) const override {
    return calls_.find(id) == nullptr ? std::string()
                                      : "bfloat16, the path that MLX chooses";
  }

 private:
  static const BoundTensor& named(const std::vector<BoundTensor>& tensors,
                                  std::string_view name) {
    return *std::find_if(
        tensors.begin(), tensors.end(),
        [&](const BoundTensor& each) { return each.layout.name == name; });
  }

  void release_inputs(const MlxCall& call) {
    for (const ArrayId id : {call.query, call.key, call.value}) {
      if (id != 0) backend_->release(id);
    }
  }

  Result<void> run_all(const std::vector<MlxCall*>& calls, bool collect) {
    Temporaries temporaries(*backend_);
    std::vector<ArrayId> answers;
    for (const MlxCall* call : calls) {
      const ArrayId previous = answers.empty() ? 0 : answers.back();
      const auto query = temporaries.keep(metal::chain_link(
          *backend_, call->query_layout, call->query, previous));
      if (!query) return error_of(query);
      const auto answer = temporaries.keep(
          backend_->attention(*query, call->key, call->value,
                              call->geometry.scale, call->geometry.causal));
      if (!answer) return error_of(answer);
      answers.push_back(*answer);
    }
    if (auto evaluated = backend_->evaluate(answers); !evaluated || !collect) {
      return evaluated;
    }
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const auto down = backend_->download(answers[i], calls[i]->output);
      if (!down) return down;
    }
    return {};
  }

  std::unique_ptr<MlxBackend> backend_;
  std::set<Geometry> warmed_;
  CallTable<MlxCall> calls_;
};

}  // namespace

std::unique_ptr<Baseline> make_mlx_metal_baseline(
    std::unique_ptr<MlxBackend> backend) {
  return std::make_unique<MlxMetalBaseline>(std::move(backend));
}

}  // namespace evoke::baselines

EVOKE_BASELINE_MODULE void evoke_open_baseline(
    const std::string& /*name*/, int /*num_threads*/,
    evoke::Result<std::unique_ptr<evoke::Baseline>>* reply) {
  auto backend = evoke::metal::open_mlx_backend();
  if (!backend) {
    *reply = evoke::absent(backend.error().message +
                           "; on a Mac, install the wheels mlx and mlx-metal "
                           "into .venv (./evoke does)");
    return;
  }
  *reply = evoke::baselines::make_mlx_metal_baseline(std::move(*backend));
}
