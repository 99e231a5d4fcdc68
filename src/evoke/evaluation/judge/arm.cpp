#include "evoke/evaluation/judge/arm.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/hash.h"
#include "evoke/base/parallel.h"

namespace evoke::judge {
namespace {

constexpr int64_t kSetupTimeoutMs = 120'000;  // a baseline may generate code
// Untimed calls go in batches about this long, so that a time limit on a
// batch is one on its calls.
constexpr double kBatchUs = 20'000;
// Calls of a warm block, at most: each has an output of its own.
constexpr std::size_t kWarmSlots = 64;
// Outputs take as much memory as this, or are as many as a short block needs. A
// GPU's block loses 2 to 3 us at its ends: of less than 1 % that is when it
// lasts a quarter of a millisecond, and a prefill of 1k takes 16 us and 4 MB.
constexpr int64_t kOutputBytes = 64 << 20;
constexpr int64_t kLeastOutputs = 8;
constexpr int64_t kMostOutputs = 256;
constexpr int kMostCheckers = 8;           // threads
constexpr int64_t kHashedBytes = 4 << 20;  // at a time

// A divisor of the number of slots: going round them never brings one output
// twice within so many.
int outputs_for(int num_slots, int64_t bytes) {
  const int64_t most =
      std::clamp(kOutputBytes / bytes, kLeastOutputs, kMostOutputs);
  for (auto count = static_cast<int>(std::min<int64_t>(most, num_slots));
       count > 1; --count) {
    if (num_slots % count == 0) return count;
  }
  return 1;
}

}  // namespace

std::vector<int> slots_for(CacheState state, int num_copies) {
  if (state == CacheState::warm) return std::vector<int>(kWarmSlots, 0);
  std::vector<int> slots(static_cast<std::size_t>(num_copies));
  std::iota(slots.begin(), slots.end(), 0);
  return slots;
}

Arm::Arm(std::string name, std::shared_ptr<Runner> runner,
         std::shared_ptr<TimingInputs> inputs, std::vector<int> slots,
         ArmMemory* memory)
    : name_(std::move(name)),
      runner_(std::move(runner)),
      inputs_(std::move(inputs)),
      slots_(std::move(slots)),
      memory_(memory ? *memory : own_memory_.emplace(runner_)),
      calls_(slots_.size(), 0),
      ensured_(slots_.size(), false),
      right_(static_cast<std::size_t>(inputs_->num_copies())),
      estimated_us_(std::numeric_limits<double>::infinity()) {}

// What the runner holds for this arm. One that is gone holds nothing.
Arm::~Arm() {
  if (!runner_->usable()) return;
  std::vector<int> bound;
  for (const int call : calls_) {
    if (call != 0) bound.push_back(call);
  }
  (void)runner_->call(protocol::Release{bound}, kSetupTimeoutMs);
  if (!own_memory_) return;
  if (memory_.inputs_buffer != 0) {
    (void)runner_->take_back(memory_.inputs_buffer);
  }
  memory_.workspace.give_back();
}

RunnerResult<std::unique_ptr<Arm>> Arm::of_kernel(
    std::string name, LoadedKernel& kernel,
    std::shared_ptr<TimingInputs> inputs, std::vector<int> slots,
    ArmMemory* memory) {
  auto plan = kernel.build().plan_for(inputs->shape());
  if (!plan) return fault(RunnerFault::Kind::refused, plan.error().message);
  std::unique_ptr<Arm> arm(new Arm(std::move(name), kernel.shared_runner(),
                                   std::move(inputs), std::move(slots),
                                   memory));
  arm->kernel_ = &kernel;
  arm->plan_ = std::move(*plan);
  arm->scratch_.emplace(*arm->plan_);
  arm->atomics_ = kernel.build().source().plan().atomics;
  arm->output_index_ = output_index(kernel.build().signature());
  auto lent = arm->lend_memory(arm->scratch_->total_bytes());
  if (!lent) return fault_of(lent);
  return arm;
}

RunnerResult<std::unique_ptr<Arm>> Arm::of_baseline(
    std::shared_ptr<Runner> runner, std::shared_ptr<TimingInputs> inputs,
    std::vector<int> slots) {
  const std::string name = runner->greeting().baseline_name;
  std::unique_ptr<Arm> arm(new Arm(name, std::move(runner), std::move(inputs),
                                   std::move(slots), nullptr));
  arm->baseline_ = true;
  // The one tensor that the copies leave out.
  const auto offsets = arm->inputs_->offsets_of(0);
  arm->output_index_ = static_cast<std::size_t>(
      std::find(offsets.begin(), offsets.end(), -1) - offsets.begin());
  auto lent = arm->lend_memory(0);
  if (!lent) return fault_of(lent);
  return arm;
}

RunnerResult<void> Arm::lend_memory(int64_t scratch_bytes) {
  output_bytes_ = inputs_->set().tensors()[output_index_].allocation_bytes;
  const int64_t step = round_up(output_bytes_, kPageBytes);
  num_outputs_ = outputs_for(num_slots(), step);
  const bool warm = num_slots() > 1 && slots_[0] == slots_[1];
  for (int slot = 0; slot < num_slots(); ++slot) {
    const int place =
        warm ? slot : inputs_->place_of(slots_[static_cast<std::size_t>(slot)]);
    outputs_.push_back(place % num_outputs_);
  }
  if (memory_.inputs_buffer == 0) {
    auto buffer = runner_->lend(inputs_->memory(), /*writable=*/false);
    if (!buffer) return fault_of(buffer);
    memory_.inputs_buffer = *buffer;
  }
  scratch_offset_ = num_outputs_ * step;
  auto reserved = memory_.workspace.reserve(scratch_offset_ + scratch_bytes);
  if (!reserved) return reserved;
  if (scratch_) {
    scratch_->poison(memory_.workspace.at(scratch_offset_, scratch_bytes),
                     /*first=*/true);
    return memory_.workspace.push(scratch_offset_, scratch_bytes);
  }
  return {};
}

int64_t Arm::output_offset(int slot) const {
  return outputs_[static_cast<std::size_t>(slot)] *
         round_up(output_bytes_, kPageBytes);
}

std::span<std::byte> Arm::output_of(int slot) const {
  return memory_.workspace.at(output_offset(slot), output_bytes_);
}

// A device with memory of its own wipes that by itself, and what the host holds
// means nothing until results are brought back. Baselines copy no more than
// their answers, into what the host has wiped.
void Arm::poison(std::span<const int> slots) {
  if (answers_are_apart()) return;
  for (const int slot : slots) {
    inputs_->set().write(slots_[static_cast<std::size_t>(slot)], output_index_,
                         output_of(slot));
  }
  if (!scratch_) return;
  scratch_->poison(
      memory_.workspace.at(scratch_offset_, scratch_->total_bytes()),
      /*first=*/false);
}

RunnerResult<void> Arm::push(std::span<const int> slots) {
  for (const int slot : slots) {
    auto pushed = memory_.workspace.push(output_offset(slot), output_bytes_);
    if (!pushed) return pushed;
  }
  if (!scratch_) return {};
  return memory_.workspace.push(scratch_offset_, scratch_->total_bytes());
}

RunnerResult<void> Arm::pull(std::span<const int> slots) {
  for (const int slot : slots) {
    auto pulled = memory_.workspace.pull(output_offset(slot), output_bytes_);
    if (!pulled) return pulled;
  }
  if (!scratch_) return {};
  return memory_.workspace.pull(scratch_offset_, scratch_->total_bytes());
}

RunnerResult<void> Arm::bind(std::span<const int> slots) {
  std::vector<protocol::Placements> placements;
  std::vector<int> wanted;
  for (const int slot : slots) {
    if (calls_[static_cast<std::size_t>(slot)] != 0) continue;
    protocol::Placements call;
    const auto offsets =
        inputs_->offsets_of(slots_[static_cast<std::size_t>(slot)]);
    for (const int64_t offset : offsets) {
      call.push_back(offset >= 0
                         ? protocol::Placement{memory_.inputs_buffer, offset}
                         : protocol::Placement{memory_.workspace.buffer(),
                                               output_offset(slot)});
    }
    if (scratch_) {
      for (const protocol::Placement& placement :
           scratch_->placements(memory_.workspace.buffer(), scratch_offset_)) {
        call.push_back(placement);
      }
    }
    placements.push_back(std::move(call));
    wanted.push_back(slot);
  }
  if (wanted.empty()) return {};
  std::vector<TensorLayout> layouts = inputs_->set().tensors();
  std::vector<int> calls;
  if (kernel_) {
    layouts.insert(layouts.end(), scratch_->layouts().begin(),
                   scratch_->layouts().end());
    auto prepared = kernel_->prepare(*plan_, layouts, placements);
    if (!prepared) return fault_of(prepared);
    calls = std::move(*prepared);
  } else {
    protocol::PrepareBaseline request{inputs_->shape(), layouts, placements};
    auto prepared = runner_->call(request, kSetupTimeoutMs);
    if (!prepared) return fault_of(prepared);
    path_ = prepared->path;
    calls = std::move(prepared->calls);
  }
  if (calls.size() != wanted.size()) {
    runner_->cancel();
    return fault(RunnerFault::Kind::garbage,
                 "the runner prepared another number of calls");
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    calls_[static_cast<std::size_t>(wanted[i])] = calls[i];
  }
  return {};
}

RunnerResult<void> Arm::run_untimed(std::span<const int> slots,
                                    int64_t timeout_ms) {
  poison(slots);
  auto pushed = push(slots);
  if (!pushed) return pushed;
  protocol::Stage stage;
  stage.collect = !answers_are_apart();
  for (const int slot : slots) {
    stage.calls.push_back(calls_[static_cast<std::size_t>(slot)]);
  }
  auto staged = runner_->call(stage, kSetupTimeoutMs);
  if (!staged) return fault_of(staged);
  const int64_t start_ns = monotonic_ns();
  auto ran = runner_->call(protocol::Go{}, timeout_ms);
  if (!ran) return fault_of(ran);
  if (!ran->damage.empty()) damage_ = ran->damage;
  for (const DeviceFinding& each : ran->findings) {
    if (each.wrong && damage_.empty()) damage_ = each.message;
  }
  const int64_t ns = ran->device_ns.value_or(monotonic_ns() - start_ns);
  const double us =
      static_cast<double>(ns) * 1e-3 / static_cast<double>(slots.size());
  estimated_us_ = std::min(estimated_us_, us);
  return {};
}

// As many of the first slots as have different outputs and are run in time.
std::vector<int> Arm::next_batch(std::span<const int> slots) const {
  // The first call alone: how long one takes is not known yet.
  const double fit = kBatchUs / std::max(estimated_us_, 1.0);
  const std::size_t count =
      std::clamp<std::size_t>(static_cast<std::size_t>(fit), 1, slots.size());
  std::vector<bool> taken(static_cast<std::size_t>(num_outputs_), false);
  std::vector<int> batch;
  for (const int slot : slots.first(count)) {
    const int output = outputs_[static_cast<std::size_t>(slot)];
    if (taken[static_cast<std::size_t>(output)]) break;
    taken[static_cast<std::size_t>(output)] = true;
    batch.push_back(slot);
  }
  return batch;
}

RunnerResult<std::optional<ArmFailure>> Arm::ensure(std::span<const int> slots,
                                                    int64_t timeout_ms) {
  auto bound = bind(slots);
  if (!bound) return fault_of(bound);
  std::vector<int> missing;
  for (const int slot : slots) {
    if (!ensured_[static_cast<std::size_t>(slot)]) missing.push_back(slot);
  }
  for (std::size_t done = 0; done < missing.size();) {
    const std::vector<int> batch =
        next_batch(std::span<const int>(missing).subspan(done));
    auto ran = run_untimed(batch, timeout_ms);
    if (!ran) return fault_of(ran);
    if (!damage_.empty()) return ArmFailure{true, false, damage_};
    auto failure = look_at(batch);
    if (!failure) return failure;
    if (*failure) {
      if (!baseline_) return failure;
      if (wrong_.empty()) wrong_ = (*failure)->message;
    }
    for (const int slot : batch) {
      ensured_[static_cast<std::size_t>(slot)] = true;
      woken_by_ = slot;
    }
    done += batch.size();
  }
  return std::nullopt;
}

// Several where the cores have nothing else to do: kernels run on another
// processor.
int Arm::num_checkers() const { return has_own_clock() ? kMostCheckers : 1; }

// Against the truth the first time a copy is answered, bitwise from then on.
std::optional<ArmFailure> Arm::check(int slot, const std::string& hash,
                                     int num_threads) {
  const int copy = slots_[static_cast<std::size_t>(slot)];
  std::string& right = right_[static_cast<std::size_t>(copy)];
  if (!right.empty() && !atomics_) {
    if (hash == right) return std::nullopt;
    return ArmFailure{false, true,
                      name_ + " at " + inputs_->shape().name +
                          " answered the same inputs differently"};
  }
  const CheckReport report =
      inputs_->check(copy, output_of(slot), hash, num_threads);
  const bool changed = !right.empty();
  if (report.verdict == CheckVerdict::right) {
    right = hash;
    return std::nullopt;
  }
  return ArmFailure{report.verdict == CheckVerdict::out_of_bounds, changed,
                    report.message};
}

RunnerResult<void> Arm::wake(int64_t timeout_ms) {
  if (woken_by_ < 0) return {};
  protocol::Stage stage;
  stage.calls = {calls_[static_cast<std::size_t>(woken_by_)]};
  auto staged = runner_->call(stage, kSetupTimeoutMs);
  if (!staged) return fault_of(staged);
  auto ran = runner_->call(protocol::Go{}, timeout_ms);
  if (!ran) return fault_of(ran);
  return {};
}

RunnerResult<void> Arm::stage(std::span<const int> slots, int64_t timeout_ms) {
  auto awake = wake(timeout_ms);
  if (!awake) return awake;
  if (!baseline_) poison(slots);
  auto pushed = push(slots);
  if (!pushed) return pushed;
  protocol::Stage stage;
  for (const int slot : slots) {
    stage.calls.push_back(calls_[static_cast<std::size_t>(slot)]);
  }
  // None that the next block still needs cold.
  if (!slots.empty()) woken_by_ = slots.back();
  staged_.assign(slots.begin(), slots.end());
  auto staged = runner_->call(stage, kSetupTimeoutMs);
  if (!staged) return fault_of(staged);
  return {};
}

RunnerResult<std::optional<int64_t>> Arm::go(int64_t timeout_ms) {
  const int64_t start_ns = monotonic_ns();
  auto ran = runner_->call(protocol::Go{}, timeout_ms);
  const int64_t wall_ns = monotonic_ns() - start_ns;
  if (!ran) return fault_of(ran);
  if (!has_own_clock()) return wall_ns;
  if (ran->device_ns && !(*ran->device_ns <= wall_ns)) {
    runner_->cancel();
    return fault(RunnerFault::Kind::garbage,
                 "the runner names a time longer than it took to answer");
  }
  return ran->device_ns;
}

RunnerResult<std::optional<ArmFailure>> Arm::verify() {
  if (baseline_) return std::nullopt;
  return look_at(staged_);
}

RunnerResult<std::optional<ArmFailure>> Arm::look_at(
    std::span<const int> slots) {
  std::vector<std::string> hashes;
  if (answers_are_apart()) {
    auto failure = collect(slots, hashes);
    if (!failure || *failure) return failure;
  }
  auto pulled = pull(slots);
  if (!pulled) return fault_of(pulled);
  if (scratch_) {
    if (const auto damage = scratch_->damage(
            memory_.workspace.at(scratch_offset_, scratch_->total_bytes()))) {
      return ArmFailure{damage->out_of_bounds, false, damage->message};
    }
  }
  if (hashes.empty()) hashes = hashes_of(slots);
  return check_all(slots, hashes);
}

// Most answers are known already: to bring them over and hash them here takes
// ten times as long as the block.
RunnerResult<std::optional<ArmFailure>> Arm::collect(
    std::span<const int> slots, std::vector<std::string>& hashes) {
  auto digests = runner_->call(protocol::Digest{}, kSetupTimeoutMs);
  if (!digests) return fault_of(digests);
  if (!digests->damage.empty()) {
    return ArmFailure{true, false, digests->damage};
  }
  hashes = std::move(digests->digests);
  if (!hashes.empty() && hashes.size() != slots.size()) {
    runner_->cancel();
    return fault(RunnerFault::Kind::garbage,
                 "the runner gave another number of digests");
  }
  protocol::Collect unknown;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const bool known = !hashes.empty() && is_decided(slots[i], hashes[i]);
    // Scratch is looked at in any case, and comes along with a call.
    const bool for_scratch = scratch_ && scratch_->total_bytes() > 0 && i == 0;
    if (known && !for_scratch) continue;
    unknown.calls.push_back(calls_[static_cast<std::size_t>(slots[i])]);
  }
  if (unknown.calls.empty()) return std::nullopt;
  auto collected = runner_->call(unknown, kSetupTimeoutMs);
  if (!collected) return fault_of(collected);
  if (!collected->damage.empty()) {
    return ArmFailure{true, false, collected->damage};
  }
  return std::nullopt;
}

// Whether the answer need not be looked at any closer.
bool Arm::is_decided(int slot, const std::string& hash) const {
  const int copy = slots_[static_cast<std::size_t>(slot)];
  const bool compared =
      !right_[static_cast<std::size_t>(copy)].empty() && !atomics_;
  return compared || inputs_->knows(copy, hash);
}

std::optional<ArmFailure> Arm::check_all(
    std::span<const int> slots, const std::vector<std::string>& hashes) {
  const int num_threads = num_checkers();
  const int threads_per_slot =
      std::max(1, num_threads / std::max(1, static_cast<int>(slots.size())));
  std::vector<std::optional<ArmFailure>> failures(slots.size());
  in_parallel(num_threads, slots.size(), [&](std::size_t i) {
    failures[i] = check(slots[i], hashes[i], threads_per_slot);
  });
  for (auto& failure : failures) {
    if (failure) return std::move(failure);
  }
  return std::nullopt;
}

// Of each output the hash of its pieces' hashes.
std::vector<std::string> Arm::hashes_of(std::span<const int> slots) const {
  const auto num_pieces = static_cast<std::size_t>(
      (output_bytes_ + kHashedBytes - 1) / kHashedBytes);
  std::vector<std::string> pieces(slots.size() * num_pieces);
  in_parallel(num_checkers(), pieces.size(), [&](std::size_t i) {
    const std::size_t begin = i % num_pieces * kHashedBytes;
    const auto output = output_of(slots[i / num_pieces]).subspan(begin);
    pieces[i] = hash_hex(
        output.first(std::min<std::size_t>(output.size(), kHashedBytes)));
  });
  std::vector<std::string> hashes;
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    std::string all;
    for (std::size_t i = 0; i < num_pieces; ++i) {
      all += pieces[slot * num_pieces + i];
    }
    hashes.push_back(hash_hex(all));
  }
  return hashes;
}

Arm::StandStill::StandStill(const Arm& arm) : arm_(arm) {
  if (arm_.baseline_) arm_.runner_->pause();
}

Arm::StandStill::~StandStill() {
  if (arm_.baseline_) arm_.runner_->resume();
}

}  // namespace evoke::judge
