#include "evoke/devices/cuda/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "evoke/devices/cuda/rates.h"

namespace evoke::cuda {
namespace {

constexpr uintptr_t kTensorAlignment = 16;
// Guard bands that the judge looks at lie within so many bytes of what a call
// writes.
constexpr std::size_t kGuardReach = 4096;

// From the start of the tensor's allocation, in its buffer.
Result<Range> range_of(const BoundTensor& tensor) {
  const std::byte* const begin = tensor.data - tensor.layout.offset_bytes;
  const std::span<std::byte> buffer = tensor.buffer.bytes;
  const auto bytes = static_cast<std::size_t>(tensor.layout.allocation_bytes);
  if (begin < buffer.data() ||
      static_cast<std::size_t>(begin - buffer.data()) > buffer.size() ||
      bytes > buffer.size() - static_cast<std::size_t>(begin - buffer.data())) {
    return failed(
        fmt::format("tensor {}: outside its buffer", tensor.layout.name));
  }
  return Range{static_cast<std::size_t>(begin - buffer.data()), bytes};
}

Tools::Bytes on_device(const Mirror& mirror, Range range) {
  return {mirror.at(range.begin), range.bytes};
}

Range with_guards(Range range, std::size_t bytes) {
  const std::size_t begin = range.begin - std::min(range.begin, kGuardReach);
  return {begin, std::min(range.end() + kGuardReach, bytes) - begin};
}

}  // namespace

std::optional<ExitReason> exit_reason_of(Status status) {
  switch (status) {
    case kErrorIllegalAddress:
    case kErrorInvalidAddressSpace:
      return ExitReason::illegal_address;
    case kErrorMisalignedAddress:
      return ExitReason::misaligned_address;
    case kErrorIllegalInstruction:
      return ExitReason::illegal_instruction;
    case kErrorHardwareStack:
    case kErrorInvalidPc:
      return ExitReason::stack_fault;
    case kErrorAssert:
      return ExitReason::kernel_assert;
    case kErrorLaunchTimeout:
      return ExitReason::launch_timeout;
    case kErrorLaunchFailed:
      return ExitReason::launch_failed;
    case kErrorEccUncorrectable:
    case kErrorNvlinkUncorrectable:
      return ExitReason::device_lost;
    default:
      return std::nullopt;
  }
}

CudaSession::CudaSession(std::shared_ptr<const DriverApi> driver,
                         const Gpu& gpu)
    : driver_(std::move(driver)), gpu_(gpu) {}

Result<std::unique_ptr<CudaSession>> CudaSession::open(
    std::shared_ptr<const DriverApi> driver, const Gpu& gpu) {
  std::unique_ptr<CudaSession> session(new CudaSession(std::move(driver), gpu));
  if (auto started = session->start(); !started) return error_of(started);
  return session;
}

Result<void> CudaSession::check(Status status, const char* what) const {
  if (status == kSuccess) return {};
  const std::string text =
      fmt::format("{}: {}: {}", gpu_.name, what, driver_->error_text(status));
  if (const auto reason = exit_reason_of(status)) {
    throw DeviceFault(*reason, text);
  }
  return failed(text);
}

Result<void> CudaSession::start() {
  const auto steps = {
      std::pair{"primary context",
                driver_->context_retain(&context_, gpu_.number)},
      {"current context", driver_->context_set(context_)},
      {"stream", driver_->stream_create(&stream_, kStreamNonBlocking)},
      {"event", driver_->event_create(&begin_, kEventDefault)},
      {"event", driver_->event_create(&end_, kEventDefault)}};
  for (const auto& [what, status] : steps) {
    if (auto done = check(status, what); !done) return done;
  }
  // No kernel keeps a part of L2 for itself. (Refused where there is none.)
  driver_->context_set_limit(kLimitPersistingL2, 0);
  mirrors_ = std::make_unique<Mirrors>(*driver_, stream_);
  auto tools = Tools::open(*driver_, gpu_, stream_);
  if (!tools) return error_of(tools);
  tools_ = std::move(*tools);
  return {};
}

CudaSession::~CudaSession() {
  drop_graph();
  calls_.clear();
  programs_.clear();
  tools_.reset();
  mirrors_.reset();
  if (begin_ != nullptr) driver_->event_destroy(begin_);
  if (end_ != nullptr) driver_->event_destroy(end_);
  if (stream_ != nullptr) driver_->stream_destroy(stream_);
  if (context_ != nullptr) driver_->context_release(gpu_.number);
}

Result<ProgramId> CudaSession::load(std::span<const std::byte> artifact) {
  auto program = Program::load(*driver_, gpu_, artifact);
  if (!program) return error_of(program);
  const ProgramId id = next_program_++;
  programs_[id] = std::move(*program);
  return id;
}

void CudaSession::unload(ProgramId program) {
  drop_graph();
  programs_.erase(program);
}

Result<CallId> CudaSession::prepare(ProgramId program, const LaunchPlan& plan,
                                    std::vector<BoundTensor> tensors) {
  const auto found = programs_.find(program);
  if (found == programs_.end()) {
    return absent(fmt::format("no program {} is loaded", program));
  }
  if (tensors.size() < plan.scratch.size()) {
    return failed("fewer tensors than the plan has scratch");
  }
  auto call = std::make_unique<Call>();
  call->program = program;
  if (auto bound = bind(*call, *found->second, plan, tensors); !bound) {
    return error_of(bound);
  }
  if (auto zeroed = zero_lasting(*call, plan, tensors); !zeroed) {
    return error_of(zeroed);
  }
  if (auto brought = bring_inputs(*call, /*again=*/false); !brought) {
    return error_of(brought);
  }
  for (const Place& place : call->lasting) {
    ++place.mirror->lasting[place.range];
  }
  const CallId id = next_call_++;
  calls_[id] = std::move(call);
  return id;
}

Result<void> CudaSession::bind(Call& call, Program& program,
                               const LaunchPlan& plan,
                               const std::vector<BoundTensor>& tensors) {
  const std::size_t num_problem_tensors = tensors.size() - plan.scratch.size();
  std::vector<DeviceTensor> on_device;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const BoundTensor& tensor = tensors[i];
    auto range = range_of(tensor);
    if (!range) return error_of(range);
    auto mirror = mirrors_->of(tensor.buffer);
    if (!mirror) return error_of(mirror);
    const auto offset =
        static_cast<std::size_t>(tensor.data - tensor.buffer.bytes.data());
    const DevicePointer data = (*mirror)->at(offset);
    if (data % kTensorAlignment != 0) {
      return failed(
          fmt::format("tensor {}: its base is not aligned to {} bytes",
                      tensor.layout.name, kTensorAlignment));
    }
    on_device.push_back({data, tensor.layout});
    const Place place{*mirror, *range, tensor.layout.name};
    if (i < num_problem_tensors) {
      auto& places = (*mirror)->writable ? call.written : call.inputs;
      places.push_back(place);
      call.num_outputs = call.written.size();
      continue;
    }
    const ResolvedScratch& scratch = plan.scratch[i - num_problem_tensors];
    (scratch.self_reset ? call.lasting : call.written).push_back(place);
    if (!scratch.self_reset && scratch.init == ScratchInit::zero) {
      call.fills.push_back({data, static_cast<std::size_t>(scratch.bytes)});
    }
  }
  for (std::size_t i = 0; i < plan.launches.size(); ++i) {
    auto launch = program.bind(plan, i, on_device, num_problem_tensors);
    if (!launch) return error_of(launch);
    call.launches.push_back(std::move(*launch));
  }
  return {};
}

Result<void> CudaSession::zero_lasting(
    Call& call, const LaunchPlan& plan,
    const std::vector<BoundTensor>& tensors) {
  const std::size_t first = tensors.size() - plan.scratch.size();
  for (std::size_t i = 0; i < plan.scratch.size(); ++i) {
    if (!plan.scratch[i].self_reset) continue;
    std::memset(tensors[first + i].data, 0,
                static_cast<std::size_t>(plan.scratch[i].bytes));
  }
  for (const Place& place : call.lasting) {
    auto zeroed = check(driver_->fill_bytes(place.mirror->at(place.range.begin),
                                            0, place.range.bytes, stream_),
                        "zeroing scratch");
    if (!zeroed) return zeroed;
  }
  return check(driver_->stream_synchronize(stream_), "preparing");
}

Result<void> CudaSession::bring_inputs(const Call& call, bool again) {
  std::vector<Place> places;
  std::vector<Tools::Bytes> bytes;
  for (const Place& place : call.inputs) {
    if (!again && place.mirror->inputs.contains(place.range)) continue;
    auto brought =
        check(mirrors_->bring(*place.mirror, place.range), "copying inputs");
    if (!brought) return brought;
    places.push_back(place);
    bytes.push_back(on_device(*place.mirror, place.range));
  }
  if (places.empty()) return {};
  auto sums = tools_->checksums(bytes);
  if (!sums) return error_of(sums);
  for (std::size_t i = 0; i < places.size(); ++i) {
    places[i].mirror->inputs[places[i].range] = (*sums)[i];
  }
  return {};
}

void CudaSession::release(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  if (std::find(graph_calls_.begin(), graph_calls_.end(), id) !=
      graph_calls_.end()) {
    drop_graph();
  }
  for (const Place& place : found->second->lasting) {
    auto& lasting = place.mirror->lasting;
    const auto range = lasting.find(place.range);
    if (range != lasting.end() && --range->second <= 0) lasting.erase(range);
  }
  calls_.erase(found);
}

// Calls that use the buffer go with it.
void CudaSession::forget(std::span<const std::byte> buffer) {
  std::vector<CallId> gone;
  const auto lies_there = [&](const Place& place) {
    return place.mirror->host == buffer.data() &&
           place.mirror->bytes == buffer.size();
  };
  for (const auto& [id, call] : calls_) {
    for (const auto* places : {&call->inputs, &call->written, &call->lasting}) {
      if (std::any_of(places->begin(), places->end(), lies_there)) {
        gone.push_back(id);
        break;
      }
    }
  }
  for (const CallId id : gone) release(id);
  mirrors_->forget(buffer);
}

Result<std::vector<CudaSession::Call*>> CudaSession::find(
    std::span<const CallId> calls) {
  std::vector<Call*> found;
  for (const CallId id : calls) {
    const auto at = calls_.find(id);
    if (at == calls_.end()) {
      return absent(fmt::format("no call {} is prepared", id));
    }
    found.push_back(at->second.get());
  }
  return found;
}

Result<void> CudaSession::stage(std::span<const CallId> calls, bool inputs) {
  auto found = find(calls);
  if (!found) return error_of(found);
  std::set<Mirror*> written;
  for (const Call* call : *found) {
    for (const Place& place : call->written) written.insert(place.mirror);
    for (const Place& place : call->lasting) written.insert(place.mirror);
  }
  for (const Mirror* mirror : written) {
    auto wiped = check(mirrors_->wipe(*mirror), "wiping memory");
    if (!wiped) return wiped;
  }
  if (inputs) {
    for (const Call* call : *found) {
      auto brought = bring_inputs(*call, /*again=*/true);
      if (!brought) return brought;
    }
  }
  if (auto done = check(driver_->stream_synchronize(stream_), "staging");
      !done) {
    return done;
  }
  return build_graph(calls);
}

void CudaSession::get_ready() {
  // What fails here fails again in run(), which can say so.
  touch(graph_calls_);
  if (tools_->forget() == kSuccess) driver_->stream_synchronize(stream_);
}

// A GPU forgets how addresses are translated when memory is mapped, and looks
// that up again in the first launches that read there: they would take longer
// in the process that mapped some last.
void CudaSession::touch(std::span<const CallId> calls) {
  std::vector<Tools::Bytes> bytes;
  for (const CallId id : calls) {
    for (const Place& place : calls_.at(id)->inputs) {
      bytes.push_back(on_device(*place.mirror, place.range));
    }
  }
  (void)tools_->checksums(bytes);
}

void CudaSession::drop_graph() {
  if (graph_ != nullptr) driver_->graph_exec_destroy(graph_);
  graph_ = nullptr;
  graph_calls_.clear();
}

Result<void> CudaSession::build_graph(std::span<const CallId> calls) {
  if (graph_ != nullptr &&
      std::equal(calls.begin(), calls.end(), graph_calls_.begin(),
                 graph_calls_.end())) {
    return {};
  }
  drop_graph();
  auto found = find(calls);
  if (!found) return error_of(found);
  auto begun = check(
      driver_->stream_begin_capture(stream_, kCaptureThreadLocal), "capture");
  if (!begun) return begun;
  Status queued = kSuccess;
  const auto queue = [&](Status status) {
    if (queued == kSuccess) queued = status;
  };
  for (Call* call : *found) {
    for (const Call::Fill& fill : call->fills) {
      queue(driver_->fill_bytes(fill.data, 0, fill.bytes, stream_));
    }
    for (BoundLaunch& launch : call->launches) {
      queue(launch.queue(*driver_, stream_));
    }
  }
  Graph graph = nullptr;
  const Status ended = driver_->stream_end_capture(stream_, &graph);
  queue(ended);
  Status made = queued;
  if (made == kSuccess) made = driver_->graph_instantiate(&graph_, graph, 0);
  if (graph != nullptr) driver_->graph_destroy(graph);
  if (made != kSuccess) {
    graph_ = nullptr;
    return check(made, "launch");
  }
  graph_calls_.assign(calls.begin(), calls.end());
  auto uploaded = check(driver_->graph_upload(graph_, stream_), "graph");
  if (!uploaded) return uploaded;
  return check(driver_->stream_synchronize(stream_), "graph");
}

Result<void> CudaSession::run(std::span<const CallId> calls) {
  device_ns_.reset();
  if (calls.empty()) return {};
  if (auto built = build_graph(calls); !built) return built;
  Status queued = tools_->close_gate();
  const auto queue = [&](Status status) {
    if (queued == kSuccess) queued = status;
  };
  queue(driver_->event_record(begin_, stream_));
  queue(driver_->graph_launch(graph_, stream_));
  queue(driver_->event_record(end_, stream_));
  // All is queued and nothing has begun: what comes is the device's own time.
  const bool hidden = driver_->event_query(begin_) == kErrorNotReady;
  tools_->open_gate();
  const Status ended = driver_->stream_synchronize(stream_);
  if (auto ran = check(ended, "run"); !ran) return ran;
  if (auto ran = check(queued, "run"); !ran) return ran;
  float ms = 0;
  auto read = check(driver_->event_elapsed(&ms, begin_, end_), "clock");
  if (!read) return read;
  if (hidden) device_ns_ = std::llround(static_cast<double>(ms) * 1e6);
  return {};
}

Result<DeviceRates> CudaSession::measure(int64_t footprint_bytes, bool flops) {
  return measure_rates(*driver_, gpu_, stream_, *tools_, footprint_bytes,
                       flops);
}

CudaSession::Inputs CudaSession::inputs_of(std::span<Call* const> calls) {
  Inputs inputs;
  for (const Call* call : calls) {
    for (const Place& place : call->inputs) {
      inputs[{place.mirror, place.range}] = place.name;
    }
  }
  return inputs;
}

std::string CudaSession::changed(const Inputs& inputs,
                                 std::span<const uint64_t> sums) {
  std::size_t i = 0;
  for (const auto& [where, name] : inputs) {
    const auto& [mirror, range] = where;
    if (sums[i++] == mirror->inputs[range]) continue;
    return "changed its input '" + name + "'";
  }
  return std::string();
}

Result<DeviceDigests> CudaSession::digests(std::span<const CallId> calls) {
  auto found = find(calls);
  if (!found) return error_of(found);
  const Inputs inputs = inputs_of(*found);
  std::vector<Tools::Bytes> bytes;
  for (const auto& [where, name] : inputs) {
    bytes.push_back(on_device(*where.first, where.second));
  }
  for (const Call* call : *found) {
    for (std::size_t i = 0; i < call->num_outputs; ++i) {
      const Place& place = call->written[i];
      bytes.push_back(on_device(*place.mirror, place.range));
    }
  }
  auto sums = tools_->checksums(bytes);
  if (!sums) return error_of(sums);
  DeviceDigests digests;
  digests.damage = changed(inputs, *sums);
  auto sum = sums->begin() + static_cast<std::ptrdiff_t>(inputs.size());
  for (const Call* call : *found) {
    std::string digest;
    for (std::size_t i = 0; i < call->num_outputs; ++i) {
      digest += fmt::format("{:016x}", *sum++);
    }
    digests.digests.push_back(std::move(digest));
  }
  return digests;
}

// Everything that the calls may have written, and the guard bands beyond.
Result<std::string> CudaSession::collect(std::span<const CallId> calls) {
  auto found = find(calls);
  if (!found) return error_of(found);
  std::map<Mirror*, std::set<Range>> written;
  for (const Call* call : *found) {
    for (const auto* places : {&call->written, &call->lasting}) {
      for (const Place& place : *places) {
        written[place.mirror].insert(
            with_guards(place.range, place.mirror->bytes));
      }
    }
  }
  for (const auto& [mirror, ranges] : written) {
    for (const Range& range : joined(ranges)) {
      auto fetched = check(mirrors_->fetch(*mirror, range), "outputs");
      if (!fetched) return error_of(fetched);
    }
  }
  const Inputs inputs = inputs_of(*found);
  std::vector<Tools::Bytes> bytes;
  for (const auto& [where, name] : inputs) {
    bytes.push_back(on_device(*where.first, where.second));
  }
  if (auto done = check(driver_->stream_synchronize(stream_), "outputs");
      !done) {
    return error_of(done);
  }
  auto sums = tools_->checksums(bytes);
  if (!sums) return error_of(sums);
  return changed(inputs, *sums);
}

}  // namespace evoke::cuda
