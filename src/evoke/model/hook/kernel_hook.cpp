#include "evoke/model/hook/kernel_hook.h"

#include <fmt/format.h>
#include <mlx/primitives.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace evoke::model {
namespace {

namespace mx = mlx::core;

struct CallSizes {
  int64_t B = 0, Hq = 0, Hkv = 0, Lq = 0, Lk = 0, D = 0;
  float scale = 0;
  bool causal = false;
  bool operator==(const CallSizes&) const = default;
};

Shape to_shape(const CallSizes& sizes) {
  Shape shape;
  shape.name = fmt::format("{}x{}", sizes.Lq, sizes.Lk);
  shape.values = {{"B", sizes.B},          {"Hq", sizes.Hq}, {"Hkv", sizes.Hkv},
                  {"Lq", sizes.Lq},        {"Lk", sizes.Lk}, {"D", sizes.D},
                  {"causal", sizes.causal}};
  shape.scalars = {{"scale", sizes.scale}};
  return shape;
}

mx::Dtype to_mlx(DType type) {
  switch (type) {
    case DType::bfloat16:
      return mx::bfloat16;
    case DType::float16:
      return mx::float16;
    case DType::float32:
      return mx::float32;
    case DType::int32:
      return mx::int32;
    case DType::uint32:
      return mx::uint32;
  }
  return mx::float32;
}

std::string name_of(mx::Dtype type) {
  for (const DType each : {DType::bfloat16, DType::float16, DType::float32,
                           DType::int32, DType::uint32}) {
    if (to_mlx(each) == type) return std::string(to_string(each));
  }
  return "another type";
}

// What is known of a shape: how the kernel computes it, or why it does not.
struct Resolved {
  CallSizes sizes;
  std::shared_ptr<const LaunchPlan> plan;
  ProgramId program = 0;
  std::string refusal;
};

// Fallbacks alike but for their lengths.
struct FallbackKey {
  CallSizes sizes;  // Lq, Lk and scale are 0
  bool decode = false;
  std::string reason;
  auto tie() const {
    return std::tie(decode, reason, sizes.B, sizes.Hq, sizes.Hkv, sizes.D,
                    sizes.causal);
  }
  bool operator<(const FallbackKey& other) const { return tie() < other.tie(); }
};
struct FallbackRange {
  int64_t count = 0;
  std::array<int64_t, 2> Lq{};
  std::array<int64_t, 2> Lk{};
};

void widen(std::array<int64_t, 2>& range, int64_t value, bool first) {
  if (first) range = {value, value};
  range = {std::min(range[0], value), std::max(range[1], value)};
}

std::string text_of(const std::array<int64_t, 2>& range) {
  return range[0] == range[1] ? fmt::format("{}", range[0])
                              : fmt::format("{}..{}", range[0], range[1]);
}

// Written on the stream's thread too. Apart from State, whose launcher must
// not end there.
struct Counts {
  std::mutex mutex;
  std::map<std::string, int64_t> dispatches;
  AttentionCounts prompt;
  AttentionCounts decode;
  std::map<FallbackKey, FallbackRange> fallbacks;
  int64_t copies = 0;

  void add_dispatch(const std::string& variant, bool is_decode) {
    const std::lock_guard lock(mutex);
    ++dispatches[variant];
    ++(is_decode ? decode : prompt).dispatched;
  }
  void add_fallback(const CallSizes& sizes, const std::string& reason) {
    const std::lock_guard lock(mutex);
    FallbackKey key{sizes, sizes.Lq == 1, reason};
    key.sizes.Lq = key.sizes.Lk = 0;
    key.sizes.scale = 0;
    ++(key.decode ? decode : prompt).fallen_back;
    FallbackRange& range = fallbacks[key];
    widen(range.Lq, sizes.Lq, range.count == 0);
    widen(range.Lk, sizes.Lk, range.count == 0);
    ++range.count;
  }
  void add_copies(int count) {
    const std::lock_guard lock(mutex);
    copies += count;
  }
};

}  // namespace

// Shared by the op, its primitives and the tasks on the stream.
struct KernelHook::State {
  KernelSource kernel;
  ProblemSignature signature;
  DeviceLimits limits;
  AttentionOp fallback;
  std::map<CompileUnit, ProgramId> programs;
  std::unique_ptr<KernelLauncher> launcher;

  // A step asks for one shape once per layer; a prompt for another.
  std::array<Resolved, 2> recent;
  std::size_t next_recent = 0;

  std::shared_ptr<Counts> counts = std::make_shared<Counts>();

  State(KernelSource source, ProblemSignature problem)
      : kernel(std::move(source)), signature(std::move(problem)) {}

  const Resolved& resolve_call(const CallSizes& sizes);
  std::string type_refusal(const mx::array& query, const mx::array& key,
                           const mx::array& value) const;

  class KernelAttention;
  static mx::array attend(const std::shared_ptr<State>& state,
                          const mx::array& query, const mx::array& key,
                          const mx::array& value, float scale, bool causal);
};

// One call in MLX's graph.
class KernelHook::State::KernelAttention final : public mx::Primitive {
 public:
  KernelAttention(mx::Stream stream, std::shared_ptr<State> state,
                  const Resolved& resolved)
      : mx::Primitive(stream),
        state_(std::move(state)),
        plan_(resolved.plan),
        program_(resolved.program),
        is_decode_(resolved.sizes.Lq == 1) {}

  void eval_cpu(const std::vector<mx::array>& inputs,
                std::vector<mx::array>& outputs) override {
    launch(inputs, outputs);
  }
  void eval_gpu(const std::vector<mx::array>& inputs,
                std::vector<mx::array>& outputs) override {
    launch(inputs, outputs);
  }
  const char* name() const override { return "KernelAttention"; }

 private:
  void launch(const std::vector<mx::array>& inputs,
              std::vector<mx::array>& outputs) {
    const Variant& variant = state_->kernel.plan().variants[plan_->variant];
    auto finished = [counts = state_->counts, name = variant.name,
                     decode = is_decode_] {
      counts->add_dispatch(name, decode);
    };
    state_->counts->add_copies(state_->launcher->launch(
        program_, plan_, inputs, outputs[0], std::move(finished)));
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<const LaunchPlan> plan_;
  ProgramId program_;
  bool is_decode_;
};

const Resolved& KernelHook::State::resolve_call(const CallSizes& sizes) {
  for (const Resolved& each : recent) {
    if (each.sizes == sizes) return each;
  }
  Resolved fresh;
  fresh.sizes = sizes;
  auto plan = resolve_checked(kernel, signature, to_shape(sizes), limits);
  if (!plan) {
    fresh.refusal = plan.error().kind == ErrorKind::absent
                        ? "no variant takes it"
                        : plan.error().message;
  } else if (const auto found = programs.find(unit_of(*plan));
             found == programs.end()) {
    fresh.refusal =
        fmt::format("variant '{}' was not judged with these constants",
                    kernel.plan().variants[plan->variant].name);
  } else {
    fresh.program = found->second;
    fresh.plan = std::make_shared<const LaunchPlan>(std::move(*plan));
  }
  Resolved& slot = recent[next_recent];
  next_recent = (next_recent + 1) % recent.size();
  slot = std::move(fresh);
  return slot;
}

std::string KernelHook::State::type_refusal(const mx::array& query,
                                            const mx::array& key,
                                            const mx::array& value) const {
  const std::array<const mx::array*, 3> arrays = {&query, &key, &value};
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const mx::Dtype given = arrays[i]->dtype();
    if (given == to_mlx(signature.tensors[i].type)) continue;
    return fmt::format("{} is {}; the kernel takes {}",
                       signature.tensors[i].name, name_of(given),
                       to_string(signature.tensors[i].type));
  }
  return {};
}

mx::array KernelHook::State::attend(const std::shared_ptr<State>& state,
                                    const mx::array& query,
                                    const mx::array& key,
                                    const mx::array& value, float scale,
                                    bool causal) {
  const CallSizes sizes{query.shape(0), query.shape(1), key.shape(1),
                        query.shape(2), key.shape(2),   query.shape(3),
                        scale,          causal};
  std::string refusal = state->type_refusal(query, key, value);
  if (refusal.empty()) {
    const Resolved& resolved = state->resolve_call(sizes);
    if (resolved.refusal.empty()) {
      const mx::Stream stream = state->launcher->stream();
      return {query.shape(),
              query.dtype(),
              std::make_shared<KernelAttention>(stream, state, resolved),
              {query, key, value}};
    }
    refusal = resolved.refusal;
  }
  state->counts->add_fallback(sizes, refusal);
  return state->fallback(query, key, value, scale, causal);
}

KernelHook::KernelHook(std::shared_ptr<State> state)
    : state_(std::move(state)) {}
KernelHook::~KernelHook() = default;

Result<std::unique_ptr<KernelHook>> KernelHook::open(
    const KernelSource& kernel, const VerifiedKernel& verified,
    const ProblemSignature& signature, std::unique_ptr<KernelLauncher> launcher,
    AttentionOp fallback) {
  if (verified.kernel_hash != kernel.hash()) {
    return failed(fmt::format("{}: the text is {}, the gate passed {}",
                              kernel.path(), kernel.hash().substr(0, 8),
                              verified.kernel_hash.substr(0, 8)));
  }
  if (const auto fits = check_signature(kernel, signature); !fits) {
    return error_of(fits);
  }
  const DeviceInfo& device = launcher->device();
  if (verified.device != device.kind ||
      verified.limits.num_sms != device.limits.num_sms ||
      verified.limits.max_threadgroup_memory !=
          device.limits.max_threadgroup_memory) {
    return failed(fmt::format(
        "{}: judged on {} with {} cores, to run on {} with {}; judge it here",
        kernel.path(), verified.device, verified.limits.num_sms, device.kind,
        device.limits.num_sms));
  }
  auto state = std::make_shared<State>(kernel, signature);
  state->limits = verified.limits;
  state->fallback = std::move(fallback);
  state->launcher = std::move(launcher);
  for (const VerifiedUnit& unit : verified.units) {
    auto program = state->launcher->load(unit.artifact);
    if (!program) return error_of(program);
    state->programs[unit.unit] = *program;
  }
  return std::unique_ptr<KernelHook>(new KernelHook(std::move(state)));
}

AttentionOp KernelHook::op() const {
  return [state = state_](const mx::array& query, const mx::array& key,
                          const mx::array& value, float scale, bool causal) {
    return State::attend(state, query, key, value, scale, causal);
  };
}

Attestation KernelHook::attestation() const {
  state_->launcher->check();
  Counts& counts = *state_->counts;
  const std::lock_guard lock(counts.mutex);
  Attestation attestation;
  attestation.kernel_hash = state_->kernel.hash();
  attestation.device = state_->launcher->device().name;
  attestation.prompt = counts.prompt;
  attestation.decode = counts.decode;
  attestation.dispatches = counts.dispatches;
  attestation.copies = counts.copies;
  for (const auto& [key, range] : counts.fallbacks) {
    const CallSizes& sizes = key.sizes;
    attestation.fallbacks.push_back(
        {fmt::format("B {}, heads {}:{}, D {}, Lq {}, Lk {}{}", sizes.B,
                     sizes.Hq, sizes.Hkv, sizes.D, text_of(range.Lq),
                     text_of(range.Lk), sizes.causal ? ", causal" : ""),
         key.reason, range.count});
  }
  return attestation;
}

}  // namespace evoke::model
