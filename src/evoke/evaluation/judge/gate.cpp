#include "evoke/evaluation/judge/gate.h"

#include <algorithm>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/hash.h"
#include "evoke/evaluation/judge/fault_outcome.h"
#include "evoke/evaluation/judge/input_change.h"

namespace evoke::judge {
namespace {

// A second binding lies at addresses that differ in every way that alignment
// leaves open.
constexpr int kBindings = 2;  // of each case, at different addresses
constexpr int64_t kShiftBytes = 192;
// Calls at one address before an input changes there.
constexpr int kPrimings = 3;

void fail(CaseResult& result, OutcomeKind kind, std::string message) {
  result.failure = kind;
  result.message = std::move(message);
}

}  // namespace

struct Gate::Context {
  const PooledCase& pooled;
  const PreparedCase& prepared;
  std::size_t output = 0;  // index of the output tensor
  LaunchPlan plan;
  ScratchMemory scratch;
  bool atomics = false;
  std::vector<std::byte> right_output;  // of the first call

  int64_t output_bytes() const {
    return prepared.tensors()[output].allocation_bytes;
  }
  // What one binding takes of the workspace.
  int64_t step_bytes() const {
    return round_up(round_up(output_bytes(), kPageBytes) +
                        scratch.total_bytes() + 2 * kShiftBytes,
                    kPageBytes);
  }
};

Gate::Gate(LoadedKernel& kernel, GateOptions options, uint64_t rng_seed,
           DeviceMemory* memory, std::function<bool()> stop)
    : kernel_(kernel),
      options_(options),
      rng_(rng_seed),
      memory_(memory),
      stop_(std::move(stop)),
      workspace_(kernel.shared_runner()) {}

CaseResult Gate::check(const PooledCase& pooled) {
  CaseResult result;
  result.label = pooled.prepared->gate_case().label();
  const double start_ms = monotonic_ms();
  if (auto ran = run_case(pooled, result); !ran) {
    const RunnerFault& fault = ran.error();
    const OutcomeKind kind = outcome_of(fault.kind);
    fail(result, kind,
         kind == OutcomeKind::timed_out
             ? "took longer than " +
                   std::to_string(options_.call_timeout_ms / 1000) +
                   " s for one call"
             : fault.message);
  }
  if (result.failure) result.message = result.label + ": " + result.message;
  result.elapsed_ms = monotonic_ms() - start_ms;
  return result;
}

// Inputs lie at one address more than there are bindings while a probe runs.
RunnerResult<void> Gate::take_memory(const Context& context) {
  if (memory_ == nullptr) return {};
  const int64_t bytes =
      (kBindings + 1) * context.pooled.inputs->size() +
      Workspace::reserved_bytes(kBindings * context.step_bytes());
  if (share_ && share_->bytes() >= bytes) return {};
  workspace_.give_back();
  share_.reset();
  share_ = memory_->take(bytes, stop_);
  if (!share_) return fault(RunnerFault::Kind::cancelled, "cancelled");
  return {};
}

RunnerResult<void> Gate::run_case(const PooledCase& pooled,
                                  CaseResult& result) {
  const PreparedCase& prepared = *pooled.prepared;
  auto plan = kernel_.build().plan_for(prepared.gate_case().shape);
  if (!plan) {
    fail(result, OutcomeKind::rejected_plan, plan.error().message);
    return {};
  }
  Context context{pooled,
                  prepared,
                  output_index(kernel_.build().signature()),
                  *plan,
                  ScratchMemory(*plan),
                  kernel_.build().source().plan().atomics,
                  {}};
  if (auto taken = take_memory(context); !taken) return taken;
  // The same pages under two addresses.
  std::vector<int> inputs;
  for (int i = 0; i < kBindings; ++i) {
    auto lent = kernel_.runner().lend(*pooled.inputs, /*writable=*/false);
    if (!lent) return fault_of(lent);
    inputs.push_back(*lent);
  }
  auto bindings = bind(context, inputs);
  if (!bindings) return fault_of(bindings);

  auto right = run_once(context, bindings->at(0), context.right_output, result);
  if (!right) return fault_of(right);
  if (*right) {
    std::vector<std::byte> again;
    right = run_once(context, bindings->at(1), again, result);
    if (!right) return fault_of(right);
    if (*right && !context.atomics && again != context.right_output) {
      right = explain_difference(context, bindings->at(0), result);
      if (!right) return fault_of(right);
    }
  }
  const bool first_of_variant =
      probed_variants_.insert(context.plan.variant).second;
  if (*right && first_of_variant && options_.scratch_repeats > 0 &&
      !context.plan.scratch.empty()) {
    right = repeat(context, bindings->at(0), result);
    if (!right) return fault_of(right);
  }
  auto released = kernel_.release({bindings->at(0).call, bindings->at(1).call});
  if (!released) return released;
  const bool probed = first_of_variant || rng_.chance(options_.probe_share);
  if (*right && probed && options_.probe_variants) {
    right = probe_change(context, result);
    if (!right) return fault_of(right);
    if (*right) right = probe_reload(context, result);
    if (!right) return fault_of(right);
  }
  for (const int buffer : inputs) {
    auto returned = kernel_.runner().take_back(buffer);
    if (!returned) return returned;
  }
  if (*right && options_.verify_inputs) {
    const std::span<const std::byte> bytes = pooled.inputs->bytes();
    if (hash_hex(bytes) != pooled.inputs_hash) {
      fail(result, OutcomeKind::out_of_bounds, "changed its inputs");
    }
  }
  return {};
}

RunnerResult<std::vector<Gate::Binding>> Gate::bind(
    Context& context, const std::vector<int>& inputs) {
  const auto& layouts = context.prepared.tensors();
  const int64_t output_bytes = round_up(context.output_bytes(), kPageBytes);
  const int64_t step = context.step_bytes();
  auto reserved =
      workspace_.reserve(step * static_cast<int64_t>(inputs.size()));
  if (!reserved) return fault_of(reserved);
  std::vector<Binding> bindings;
  std::vector<protocol::Placements> placements;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto shift = static_cast<int64_t>(i) * kShiftBytes;
    Binding binding;
    binding.output_offset = static_cast<int64_t>(i) * step + shift;
    binding.scratch_offset = binding.output_offset + output_bytes;
    protocol::Placements call;
    for (std::size_t t = 0; t < layouts.size(); ++t) {
      const int64_t offset = context.pooled.packed.offsets[t];
      call.push_back(offset >= 0 ? protocol::Placement{inputs[i], offset}
                                 : protocol::Placement{workspace_.buffer(),
                                                       binding.output_offset});
    }
    for (const protocol::Placement& placement : context.scratch.placements(
             workspace_.buffer(), binding.scratch_offset)) {
      call.push_back(placement);
    }
    placements.push_back(std::move(call));
    bindings.push_back(binding);
    context.scratch.poison(
        workspace_.at(binding.scratch_offset, context.scratch.total_bytes()),
        /*first=*/true);
    auto pushed =
        workspace_.push(binding.scratch_offset, context.scratch.total_bytes());
    if (!pushed) return fault_of(pushed);
  }
  std::vector<TensorLayout> all = layouts;
  all.insert(all.end(), context.scratch.layouts().begin(),
             context.scratch.layouts().end());
  auto calls = kernel_.prepare(context.plan, all, placements);
  if (!calls) return fault_of(calls);
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    bindings[i].call = calls->at(i);
    // What the device zeroed while preparing.
    auto pulled = workspace_.pull(bindings[i].scratch_offset,
                                  context.scratch.total_bytes());
    if (!pulled) return fault_of(pulled);
  }
  return bindings;
}

RunnerResult<bool> Gate::run_once(Context& context, const Binding& binding,
                                  std::vector<std::byte>& output,
                                  CaseResult& result) {
  const auto out = workspace_.at(binding.output_offset, context.output_bytes());
  const auto scratch =
      workspace_.at(binding.scratch_offset, context.scratch.total_bytes());
  context.prepared.write(context.output, out);
  context.scratch.poison(scratch, /*first=*/false);
  const int64_t bytes = binding.scratch_offset - binding.output_offset +
                        context.scratch.total_bytes();
  auto pushed = workspace_.push(binding.output_offset, bytes);
  if (!pushed) return fault_of(pushed);
  auto ran = kernel_.run({binding.call}, options_.call_timeout_ms);
  if (!ran) return fault_of(ran);
  auto pulled = workspace_.pull(binding.output_offset, bytes);
  if (!pulled) return fault_of(pulled);
  output.assign(out.begin(), out.end());

  if (!kernel_.damage().empty()) {
    fail(result, OutcomeKind::out_of_bounds, kernel_.damage());
    return false;
  }
  if (!take_findings(result)) return false;
  if (const auto damage = context.scratch.damage(scratch)) {
    fail(result,
         damage->out_of_bounds ? OutcomeKind::out_of_bounds
                               : OutcomeKind::incorrect,
         damage->message);
    return false;
  }
  // The same bytes were right before; guard bands are part of them. The first
  // answer of all has nothing to be compared with but the truth.
  const bool first = &output == &context.right_output;
  if (!first && !context.right_output.empty() &&
      output == context.right_output) {
    return true;
  }
  const CheckReport report = context.prepared.check(output);
  if (result.report.verdict != CheckVerdict::right ||
      report.row_ratio > result.report.row_ratio) {
    result.report = report;
  }
  if (report.verdict != CheckVerdict::right) {
    fail(result,
         report.verdict == CheckVerdict::out_of_bounds
             ? OutcomeKind::out_of_bounds
             : OutcomeKind::incorrect,
         report.message);
    return false;
  }
  return true;
}

bool Gate::take_findings(CaseResult& result) const {
  for (const DeviceFinding& each : kernel_.findings()) {
    if (each.wrong) {
      fail(result,
           each.out_of_bounds ? OutcomeKind::out_of_bounds
                              : OutcomeKind::incorrect,
           each.message);
      result.finding = each.kind;
      return false;
    }
    if (std::find(result.notes.begin(), result.notes.end(), each.message) ==
        result.notes.end()) {
      result.notes.push_back(each.message);
    }
  }
  return true;
}

// Two right answers differ: is it chance, or the address?
RunnerResult<bool> Gate::explain_difference(Context& context,
                                            const Binding& first,
                                            CaseResult& result) {
  std::vector<std::byte> again;
  auto right = run_once(context, first, again, result);
  if (!right || !*right) return right;
  if (again == context.right_output) {
    fail(result, OutcomeKind::nondeterministic,
         "gives another answer when its tensors lie at other addresses; is it "
         "reading something that it has not written?");
  } else {
    fail(result, OutcomeKind::nondeterministic,
         "gives different answers in two runs on the same inputs; is it a race "
         "between threadgroups? (declare atomics = true if it must be so)");
  }
  return false;
}

RunnerResult<bool> Gate::repeat(Context& context, const Binding& binding,
                                CaseResult& result) {
  for (int i = 0; i < options_.scratch_repeats; ++i) {
    std::vector<std::byte> again;
    auto right = run_once(context, binding, again, result);
    if (!right || !*right) return right;
    if (!context.atomics && again != context.right_output) {
      fail(result, OutcomeKind::nondeterministic,
           "run " + std::to_string(i + 3) +
               " gave another answer than the first; is it a race between "
               "threadgroups, or between launches?");
      return false;
    }
  }
  return true;
}

// Inputs that change under the same addresses must count at once: the answer
// has to be the one that fresh memory with the same content gives.
RunnerResult<bool> Gate::probe_change(Context& context, CaseResult& result) {
  const auto original = context.pooled.inputs->bytes();
  std::array<std::optional<protocol::SharedMemory>, 2> copies;
  std::array<std::vector<std::byte>, 2> outputs;
  const std::string changed =
      "does not notice that one element of an input changed in place";
  const auto change =
      choose_change(context.prepared.tensors(), context.pooled.packed, rng_);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    auto memory = protocol::SharedMemory::create(
        static_cast<int64_t>(original.size()), /*read_only_for_others=*/true);
    if (!memory) return own_fault(memory.error());
    copies[i] = std::move(*memory);
    const auto bytes = copies[i]->bytes();
    std::copy(original.begin(), original.end(), bytes.begin());
    if (i == 1) change.apply(bytes);
    auto lent = kernel_.runner().lend(*copies[i], /*writable=*/false);
    if (!lent) return fault_of(lent);
    auto bindings = bind(context, {*lent});
    if (!bindings) return fault_of(bindings);
    if (i == 0) {
      for (int priming = 0; priming < kPrimings; ++priming) {
        auto right = run_once(context, bindings->front(), outputs[0], result);
        if (!right || !*right) return right;
      }
      change.apply(bytes);
      auto pushed =
          kernel_.runner().push(*lent, *copies[0], 0, copies[0]->size());
      if (!pushed) return fault_of(pushed);
      kernel_.inputs_changed();
    }
    // Right or wrong is not known for changed inputs; equal or not is.
    CaseResult ignored;
    auto ran = run_once(context, bindings->front(), outputs[i], ignored);
    if (!ran) return ran;
    if (ignored.failure == OutcomeKind::out_of_bounds ||
        !ignored.finding.empty()) {
      fail(result, *ignored.failure, ignored.message);
      result.finding = ignored.finding;
      return false;
    }
    auto released = kernel_.release({bindings->front().call});
    if (!released) return fault_of(released);
    auto returned = kernel_.runner().take_back(*lent);
    if (!returned) return fault_of(returned);
  }
  if (!context.atomics && outputs[0] != outputs[1]) {
    fail(result, OutcomeKind::incorrect, changed);
    return false;
  }
  return true;
}

RunnerResult<bool> Gate::probe_reload(Context& context, CaseResult& result) {
  auto unloaded = kernel_.unload();
  if (!unloaded) return fault_of(unloaded);
  auto lent = kernel_.runner().lend(*context.pooled.inputs, false);
  if (!lent) return fault_of(lent);
  auto bindings = bind(context, {*lent});
  if (!bindings) return fault_of(bindings);
  std::vector<std::byte> output;
  auto right = run_once(context, bindings->front(), output, result);
  if (!right || !*right) return right;
  auto released = kernel_.release({bindings->front().call});
  if (!released) return fault_of(released);
  auto returned = kernel_.runner().take_back(*lent);
  if (!returned) return fault_of(returned);
  if (!context.atomics && output != context.right_output) {
    fail(result, OutcomeKind::nondeterministic,
         "gives another answer after it was loaded anew");
    return false;
  }
  return true;
}

}  // namespace evoke::judge
