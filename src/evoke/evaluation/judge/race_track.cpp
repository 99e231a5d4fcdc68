#include "evoke/evaluation/judge/race_track.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/evaluation/judge/device_memory.h"
#include "evoke/evaluation/judge/free_memory.h"
#include "evoke/evaluation/judge/stage_clock.h"
#include "evoke/evaluation/judge/verdict.h"

namespace evoke::judge {
namespace {

using Kind = RunnerFault::Kind;

// Pairs that every shape gets before stopping early is thought of; one says
// enough by a clock that nothing disturbs.
constexpr int kFirstPairs = 3;
constexpr int kFirstPairsByOwnClock = 1;
// Of discarded pairs, at most this many per wanted pair are run again.
constexpr int kMostTriesPerPair = 3;
constexpr int64_t kLargestRotation = int64_t{1} << 30;
// Of an accelerator: at 1.5 GB nothing is gained by marking loads to stay in
// L2 (docs/measuring.md).
constexpr int64_t kDeviceRotation = int64_t{3} << 29;
// All shapes' copies together take at most this share of the free memory.
constexpr int64_t kMemoryShare = 4;
// On unseen inputs, where the device has a clock of its own: every call takes
// a copy that has to be brought there.
constexpr double kUnseenBlockMs = 0.1;
constexpr double kShortestCallUs = 3;
constexpr int kLeastUnseenCopies = 10;  // practice, and a call in each block

}  // namespace

RaceTrack::RaceTrack(Workbench& bench, Workload workload,
                     RaceTrackOptions options)
    : bench_(bench),
      workload_(std::move(workload)),
      options_(options),
      noise_(options_.like != nullptr ? options_.like->noise_
                                      : std::make_shared<Noise>()),
      turns_(options_.like != nullptr
                 ? options_.like->turns_
                 : std::make_shared<RaceTurns>(bench.lock())) {
  // A device's own clock is the steadier one.
  if (options_.like == nullptr && bench_.greeting().own_clock) {
    options_.same_kernel_pairs /= 2;
    options_.unseen_same_kernel_pairs /= 2;
  }
}

RunnerResult<std::unique_ptr<RaceTrack>> RaceTrack::open(
    Workbench& bench, const Workload& workload,
    const RaceTrackOptions& options) {
  std::unique_ptr<RaceTrack> track(new RaceTrack(bench, workload, options));
  auto done = track->choose_rotation();
  if (done) done = track->make_inputs();
  if (!done) return fault_of(done);
  return track;
}

std::vector<Shape> RaceTrack::shapes() const {
  std::vector<Shape> shapes;
  for (const WorkloadShape& each : workload_.shapes) {
    shapes.push_back(each.shape);
  }
  return shapes;
}

RunnerResult<void> RaceTrack::choose_rotation() {
  if (options_.like != nullptr) {
    roofline_ = options_.like->roofline();
    rotation_bytes_ = options_.like->rotation_bytes_;
    empty_block_us_ = options_.like->empty_block_us_;
    return {};
  }
  const bool own_memory = bench_.greeting().own_memory;
  const int64_t declared =
      own_memory ? kDeviceRotation : 2 * bench_.greeting().cache_bytes;
  const auto claim = bench_.lock().claim(bench_.stop());
  if (!claim) return fault(Kind::cancelled, "cancelled");
  auto roofline = measure_roofline(
      bench_.pool(), {bench_.options().device,
                      std::clamp(declared, int64_t{64} << 20,
                                 std::max(kLargestRotation, kDeviceRotation))});
  if (!roofline) return fault_of(roofline);
  roofline_ = *roofline;
  if (own_memory) {
    // What bandwidth shows is not enough there: a part of the cache can be
    // told to keep what it holds.
    rotation_bytes_ =
        options_.rotation_bytes > 0 ? options_.rotation_bytes : kDeviceRotation;
    const int64_t room = bench_.greeting().memory_bytes / kDeviceShares /
                         static_cast<int64_t>(workload_.shapes.size());
    if (room > 0) rotation_bytes_ = std::min(rotation_bytes_, room);
    return {};
  }
  rotation_bytes_ = options_.rotation_bytes > 0
                        ? options_.rotation_bytes
                        : std::min(2 * roofline_.cold_bytes, kLargestRotation);
  const int64_t room = free_memory_bytes() / kMemoryShare /
                       static_cast<int64_t>(workload_.shapes.size());
  if (room > 0) rotation_bytes_ = std::min(rotation_bytes_, room);
  return {};
}

RunnerResult<void> RaceTrack::make_inputs() {
  if (const RaceTrack* other = std::exchange(options_.inputs_of, nullptr)) {
    rotation_bytes_ = other->rotation_bytes_;
    for (std::size_t i = 0; i < workload_.shapes.size(); ++i) {
      ShapeTrack track;
      track.shape = workload_.shapes[i];
      track.inputs =
          other->tracks_[i].inputs->for_another_device(secret_seed());
      tracks_.push_back(std::move(track));
    }
    return {};
  }
  for (const WorkloadShape& shape : workload_.shapes) {
    auto inputs = TimingInputs::make(bench_.problem(), shape.shape,
                                     inputs_options(shape.shape));
    if (!inputs) return own_fault(inputs.error());
    ShapeTrack track;
    track.shape = shape;
    track.inputs = std::move(*inputs);
    tracks_.push_back(std::move(track));
  }
  if (options_.unseen) return {};
  return fill_inputs(std::vector<bool>(tracks_.size(), false));
}

RunnerResult<void> RaceTrack::fill_inputs(const std::vector<bool>& left_out) {
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (left_out[i] || tracks_[i].inputs->filled()) continue;
    const auto share = bench_.share_processor();
    if (!share) return fault(Kind::cancelled, "cancelled");
    tracks_[i].inputs->fill();
  }
  return {};
}

TimingInputs::Options RaceTrack::inputs_options(const Shape& shape) const {
  TimingInputs::Options options;
  options.num_threads =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  options.seed = secret_seed();
  const double one_copy = bench_.problem().work(shape).bytes;
  int64_t bytes = rotation_bytes_;
  int copies = options_.min_copies;
  options.max_copies = options_.max_copies;
  if (options_.unseen && bench_.greeting().own_clock) {
    const double call_us =
        std::max(roof_us(shape, CacheState::cold), kShortestCallUs);
    const auto calls =
        static_cast<int>(std::ceil(kUnseenBlockMs * 1000 / call_us));
    copies = std::max(2 * kPracticeCalls + 4 * calls, kLeastUnseenCopies);
    options.max_copies = copies;
    bytes = 0;
  }
  options.total_bytes =
      std::max(bytes, static_cast<int64_t>(copies * one_copy));
  return options;
}

RunnerResult<std::unique_ptr<Opponent>> RaceTrack::opponent(
    const std::string& name, const std::string& text, CacheState state) const {
  auto build = bench_.plan(text, name, shapes());
  if (!build) return fault(Kind::unavailable, build.error().message);
  auto refusal = bench_.compile(*build, shapes());
  if (!refusal) return fault_of(refusal);
  if (*refusal) {
    return fault(Kind::unavailable, name + ": " + (*refusal)->message);
  }
  return std::make_unique<Opponent>(bench_, inputs(), name, std::move(*build),
                                    opponent_options(state));
}

std::unique_ptr<Opponent> RaceTrack::baseline(const std::string& name,
                                              CacheState state) const {
  return std::make_unique<Opponent>(bench_, inputs(), name,
                                    opponent_options(state));
}

OpponentOptions RaceTrack::opponent_options(CacheState state) const {
  OpponentOptions options;
  options.cache_state = state;
  options.call_timeout_ms = options_.call_timeout_ms;
  return options;
}

Opponent::Inputs RaceTrack::inputs() const {
  Opponent::Inputs all;
  for (const ShapeTrack& track : tracks_) all.push_back(track.inputs);
  return all;
}

RunnerResult<void> RaceTrack::race_same_kernel(Opponent& kernel) {
  std::map<std::string, SameKernelNoise::Races> races;
  for (int i = 0; i < options_.same_kernel_races; ++i) {
    Request request;
    request.num_pairs = options_.same_kernel_pairs;
    auto result = race_twin(kernel, request);
    if (!result) return fault_of(result);
    if (result->failure) {
      return fault(Kind::unavailable, kernel.name() + " at " +
                                          result->failure->shape + ": " +
                                          result->failure->failure.message);
    }
    for (ShapeMeasurement& shape : result->shapes) {
      races[shape.shape].push_back(std::move(shape.pairs));
    }
  }
  noise_->seen.add(std::move(races));
  return measure_empty_block(kernel);
}

// In a process of its own, where candidates have one each.
RunnerResult<RaceResult> RaceTrack::race_twin(Opponent& kernel,
                                              const Request& request) {
  if (in_one_process()) return race_in_stall(*kernel.build(), kernel, request);
  auto runner = bench_.lasting_runner();
  if (!runner) return fault_of(runner);
  LoadedKernel twin(std::move(*runner), *kernel.build());
  return race(twin, kernel, request);
}

RunnerResult<void> RaceTrack::measure_empty_block(Opponent& kernel) {
  auto side = kernel.side();
  if (!side) return fault_of(side);
  const auto claim = bench_.lock().claim(bench_.stop());
  if (!claim) return fault(Kind::cancelled, "cancelled");
  const std::lock_guard alone(timing_);
  constexpr int kTries = 21;
  std::vector<int64_t> times;
  for (int i = 0; i < kTries; ++i) {
    Arm& arm = *(*side)->arms.front();
    auto staged = arm.stage({}, options_.call_timeout_ms);
    if (!staged) return staged;
    auto ns = arm.go(options_.call_timeout_ms);
    if (!ns) return fault_of(ns);
    // A device's own clock does not run while it has nothing to do.
    times.push_back(ns->value_or(0));
  }
  std::nth_element(times.begin(), times.begin() + kTries / 2, times.end());
  empty_block_us_ = static_cast<double>(times[kTries / 2]) * 1e-3;
  return {};
}

RunnerResult<RaceResult> RaceTrack::race(LoadedKernel& candidate,
                                         Opponent& opponent,
                                         const Request& request) {
  // An opponent that stays is started on all shapes.
  const std::vector<bool> unneeded =
      request.unseen_inputs ? left_out(candidate.build(), opponent, request)
                            : std::vector<bool>(tracks_.size(), false);
  int64_t inputs_ns = 0;
  {
    const ScopeTimer timer(inputs_ns);
    if (auto filled = fill_inputs(unneeded); !filled) return fault_of(filled);
  }
  auto result = request.unseen_inputs ? race_unseen(candidate.build(), opponent,
                                                    request, unneeded)
                                      : race_seen(candidate, opponent, request);
  if (result) result->inputs_ns = inputs_ns;
  return result;
}

RunnerResult<RaceResult> RaceTrack::race_seen(LoadedKernel& candidate,
                                              Opponent& opponent,
                                              const Request& request) {
  if (in_one_process()) {
    return race_in_stall(candidate.build(), opponent, request);
  }
  auto side = opponent.side();
  if (!side) return blame_opponent(opponent, side.error());
  return race_in(candidate, nullptr, opponent, **side, request);
}

RunnerResult<RaceResult> RaceTrack::race_in_stall(const KernelBuild& candidate,
                                                  Opponent& opponent,
                                                  const Request& request) {
  // Starts with a share in hand, so before the turn.
  auto side = opponent.side();
  if (!side) return blame_opponent(opponent, side.error());
  const auto turn = turns_->take(bench_.stop());
  if (!turn) return fault(Kind::cancelled, "cancelled");
  const int64_t begin_ns = monotonic_ns();
  auto result = race_in_turn(candidate, opponent, **side, request);
  if (result) {
    result->claim_ns = turn->claim_ns();
    result->loading_ns =
        monotonic_ns() - begin_ns - result->practice_ns - result->pairs_ns;
  }
  return result;
}

RunnerResult<RaceResult> RaceTrack::race_in_turn(const KernelBuild& candidate,
                                                 Opponent& opponent,
                                                 Opponent::Side& side,
                                                 const Request& request) {
  for (;;) {
    if (!stall_) {
      auto runner = bench_.lasting_runner(Starting::at_once);
      if (!runner) return fault_of(runner);
      stall_.emplace(std::move(*runner));
      for (std::size_t i = 0; i < tracks_.size(); ++i) {
        stall_->memory.push_back(std::make_unique<ArmMemory>(stall_->runner));
      }
    }
    const bool used = std::exchange(stall_->used, true);
    LoadedKernel kernel(stall_->runner, candidate);
    auto result = race_in(kernel, &*stall_, opponent, side, request);
    const bool well = result && !result->failure && kernel.unload().has_value();
    if (well) return result;
    stall_.reset();
    // What is wrong where others ran before may be their doing.
    const bool blamed = result ? result->failure.has_value()
                               : result.error().kind != Kind::cancelled &&
                                     result.error().kind != Kind::unavailable;
    if (!used || !blamed) return result;
  }
}

RunnerResult<RaceResult> RaceTrack::race_in(LoadedKernel& candidate,
                                            Stall* stall, Opponent& opponent,
                                            Opponent::Side& side,
                                            const Request& request) {
  const std::vector<bool> same = left_out(candidate.build(), opponent, request);
  std::vector<Entry> entries;
  RaceResult result;
  // A few pairs first: what is clearly slow ends there.
  const bool may_stop = request.stop_below_fitness > 0;
  const int first_pairs =
      bench_.greeting().own_clock ? kFirstPairsByOwnClock : kFirstPairs;
  for (const int num_pairs :
       {std::min(first_pairs, request.num_pairs), request.num_pairs}) {
    auto ran =
        run_up_to(num_pairs, candidate, stall, side, same, entries, result);
    if (!ran && candidate.runner().usable()) {
      return blame_opponent(opponent, ran.error());
    }
    if (!ran) return fault_of(ran);
    if (result.failure) return result;
    if (may_stop && num_pairs < request.num_pairs &&
        clearly_below(request, entries, same)) {
      result.stopped_early = true;
      break;
    }
  }
  for (const Entry& entry : entries) {
    if (entry.race->pairs().empty()) {
      return fault(Kind::unavailable,
                   "the processor's clock held still for none of " +
                       std::to_string(entry.race->discarded_pairs()) +
                       " pairs; is the machine busy with something else?");
    }
  }
  auto entry = entries.begin();
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (same[i]) {
      result.shapes.push_back(same_code_measurement(request, i, opponent));
    } else if (entry != entries.end() && entry->shape == i) {
      result.shapes.push_back(
          measurement(request, i, entry->race->measurement()));
      ++entry;
    }
  }
  return result;
}

// In a stall also what is untimed is done alone: else it waits for the GPU call
// by call, and each call for a turn of every process there.
RunnerResult<void> RaceTrack::run_up_to(int num_pairs, LoadedKernel& candidate,
                                        Stall* stall, Opponent::Side& side,
                                        const std::vector<bool>& left_out,
                                        std::vector<Entry>& entries,
                                        RaceResult& result) {
  if (std::find(left_out.begin(), left_out.end(), false) == left_out.end()) {
    return {};
  }
  std::optional<DeviceLock::Claim> turn;
  if (!stall) {
    turn = bench_.lock().share(bench_.stop());
    if (!turn) return fault(Kind::cancelled, "cancelled");
  }
  auto prepared =
      prepare(num_pairs, candidate, stall, side, left_out, entries, result);
  if (!prepared || result.failure) return prepared;
  if (!stall) {
    turn.reset();
    turn = bench_.lock().claim(bench_.stop());
    if (!turn) return fault(Kind::cancelled, "cancelled");
  }
  return run(entries, kMostTriesPerPair, result);
}

RunnerResult<void> RaceTrack::prepare(int num_pairs, LoadedKernel& candidate,
                                      Stall* stall, Opponent::Side& side,
                                      const std::vector<bool>& left_out,
                                      std::vector<Entry>& entries,
                                      RaceResult& result) {
  const ScopeTimer timer(result.practice_ns);
  if (entries.empty()) {
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (!side.arms[i] || left_out[i]) continue;
      std::optional<ArmFailure> failure;
      auto arm = practised(candidate, stall, i, side.cache_state, failure);
      if (!arm) return fault_of(arm);
      if (failure) {
        result.failure =
            RaceFailure{tracks_[i].shape.shape.name, std::move(*failure)};
        return {};
      }
      entries.push_back(enter(std::move(*arm), i, side, /*unseen=*/false));
    }
  }
  for (Entry& entry : entries) {
    Race& race = *entry.race;
    entry.wanted_pairs = num_pairs;
    const int missing = num_pairs - static_cast<int>(race.pairs().size());
    auto prepared = race.prepare(missing);
    if (!prepared) return prepared;
  }
  return {};
}

RunnerResult<std::unique_ptr<Arm>> RaceTrack::practised(
    LoadedKernel& candidate, Stall* stall, std::size_t shape, CacheState state,
    std::optional<ArmFailure>& failure) {
  const auto& inputs = tracks_[shape].inputs;
  std::vector<int> slots = slots_for(state, inputs->num_copies());
  auto arm = Arm::of_kernel("candidate", candidate, inputs, slots,
                            stall ? stall->memory[shape].get() : nullptr);
  if (!arm) return arm;
  // A first call, which pays for much that later ones do not, and a few more
  // tell how long a block has to be.
  if (state == CacheState::warm) {
    slots.resize(kPracticeCalls);
    std::iota(slots.begin(), slots.end(), 0);
  } else {
    slots = inputs->next_copies(kPracticeCalls);
  }
  for (const std::size_t count : {std::size_t{1}, slots.size()}) {
    auto ensured = (*arm)->ensure(std::span<const int>(slots).first(count),
                                  options_.call_timeout_ms);
    if (!ensured) return fault_of(ensured);
    failure = std::move(*ensured);
    if (failure) break;
  }
  return arm;
}

RaceTrack::Entry RaceTrack::enter(std::unique_ptr<Arm> arm, std::size_t shape,
                                  Opponent::Side& side, bool unseen) {
  const auto& inputs = tracks_[shape].inputs;
  Arm& opponent = *side.arms[shape];
  RaceOptions options;
  options.cache_state = side.cache_state;
  options.timeout_ms = options_.call_timeout_ms;
  options.max_probe_change = options_.max_probe_change;
  int most_calls = arm->max_block_calls();
  // Of all copies: both sides' practice, then the four blocks of one pair.
  if (unseen) {
    const int unpractised = inputs->num_copies() - 2 * kPracticeCalls;
    most_calls = std::clamp(unpractised / 4, 1, most_calls);
  }
  const bool short_blocks = unseen && bench_.greeting().own_clock;
  options.calls_per_block =
      calls_per_block(short_blocks ? kUnseenBlockMs : options_.block_ms,
                      opponent.estimated_us(), arm->estimated_us(), most_calls);
  Entry entry;
  entry.shape = shape;
  entry.arm = std::move(arm);
  entry.wanted_pairs = 1;
  entry.race = std::make_unique<Race>(inputs, opponent, *entry.arm, options,
                                      secret_seed());
  return entry;
}

// Pairs go round all shapes, so that a slow drift meets them alike.
RunnerResult<void> RaceTrack::run(std::vector<Entry>& entries,
                                  int tries_per_pair, RaceResult& result) {
  const std::lock_guard alone(timing_);
  const ScopeTimer timer(result.pairs_ns);
  bool all_done = false;
  for (int round = 0; !all_done; ++round) {
    all_done = true;
    for (Entry& entry : entries) {
      Race& race = *entry.race;
      if (static_cast<int>(race.pairs().size()) >= entry.wanted_pairs ||
          round >= entry.wanted_pairs * tries_per_pair) {
        continue;
      }
      all_done = false;
      std::optional<ArmFailure> failure;
      auto ran = race.run_pair(failure);
      if (!ran) return ran;
      if (failure) {
        result.failure = RaceFailure{tracks_[entry.shape].shape.shape.name,
                                     std::move(*failure)};
        return {};
      }
    }
  }
  return {};
}

tl::unexpected<RunnerFault> RaceTrack::blame_opponent(const Opponent& opponent,
                                                      const RunnerFault& why) {
  if (why.kind == Kind::cancelled) return fault(why.kind, why.message);
  return fault(Kind::unavailable, opponent.name() + ": " + why.message);
}

// Whether even the best pair of every shape together lies below the limit.
bool RaceTrack::clearly_below(const Request& request,
                              const std::vector<Entry>& entries,
                              const std::vector<bool>& same_code) const {
  if (!(request.stop_below_fitness > 0)) return false;
  double weights = 0;
  double best = 0;
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (same_code[i]) weights += workload_.shapes[i].weight;
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& pairs = entries[i].race->pairs();
    if (pairs.empty()) return false;
    double largest = -std::numeric_limits<double>::infinity();
    for (const TimedPair& pair : pairs) {
      largest =
          std::max(largest, std::log(pair.baseline_us / pair.candidate_us));
    }
    const double weight = workload_.shapes[entries[i].shape].weight;
    weights += weight;
    best += weight * largest;
  }
  return weights > 0 && best / weights < std::log(request.stop_below_fitness);
}

ShapeMeasurement RaceTrack::measurement(const Request& request, std::size_t at,
                                        ShapeMeasurement measured) const {
  const WorkloadShape& shape = workload_.shapes[at];
  measured.weight = shape.weight;
  measured.confidence = request.confidence;
  measured.roof_us = roof_us(shape.shape, measured.cache_state);
  // What noise is with warm inputs nobody has measured: where a process's
  // memory lies decides how near its part of a cache is.
  measured.minimum_effect =
      measured.cache_state == CacheState::warm
          ? std::numeric_limits<double>::quiet_NaN()
          : noise(request.unseen_inputs)
                .minimum_effect(
                    measured.shape,
                    std::max(1, static_cast<int>(measured.pairs.size())));
  summarize(measured);
  return measured;
}

double RaceTrack::roof_us(const Shape& shape, CacheState state) const {
  return roofline().roof_us(bench_.problem().work(shape), state);
}

Roofline RaceTrack::roofline() const {
  const std::lock_guard lock(mutex_);
  return roofline_;
}

RunnerResult<void> RaceTrack::remeasure_roofline() {
  const auto claim = bench_.lock().claim(bench_.stop());
  if (!claim) return fault(Kind::cancelled, "cancelled");
  auto again = measure_roofline(bench_.pool(),
                                {bench_.options().device, rotation_bytes_});
  if (!again) return fault_of(again);
  const std::lock_guard lock(mutex_);
  roofline_ = better_of(roofline_, *again);
  return {};
}

}  // namespace evoke::judge
