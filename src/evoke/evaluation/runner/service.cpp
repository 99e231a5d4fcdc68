#include "evoke/evaluation/runner/service.h"

#include <exception>
#include <set>
#include <utility>
#include <variant>

#include "evoke/base/utf8.h"
#include "evoke/evaluation/runner/machine_rates.h"

namespace evoke::runner {
namespace {

using protocol::Done;

// How long a runner looks out for a Go before it sleeps.
constexpr int64_t kGoSpinUs = 2000;

tl::unexpected<Error> not_my_role(const char* what) {
  return failed(std::string("this runner cannot ") + what);
}

protocol::Compiled to_message(CompileReply reply) {
  protocol::Compiled compiled;
  compiled.status =
      static_cast<protocol::Compiled::Status>(static_cast<int>(reply.status));
  compiled.artifact = std::move(reply.artifact);
  compiled.diagnostics = to_valid_utf8(reply.diagnostics);
  compiled.report = std::move(reply.report);
  compiled.elapsed_ms = reply.elapsed_ms;
  return compiled;
}
static_assert(static_cast<int>(CompileReply::Status::unavailable) ==
              static_cast<int>(protocol::Compiled::Status::unavailable));

}  // namespace

namespace {

Buffers::Place place_of(const TensorLayout& layout,
                        const protocol::Placement& placement) {
  return {placement.buffer, placement.offset_bytes, layout.allocation_bytes};
}

}  // namespace

Service::CallPlaces Service::places_of(const protocol::Prepare& request,
                                       const protocol::Placements& placements) {
  CallPlaces places;
  const std::size_t num_scratch = request.plan.scratch.size();
  for (std::size_t i = 0; i < placements.size(); ++i) {
    places.all.push_back(place_of(request.layouts[i], placements[i]));
    const std::size_t first_scratch = placements.size() - num_scratch;
    if (i >= first_scratch &&
        request.plan.scratch[i - first_scratch].self_reset) {
      places.lasting.push_back(places.all.back());
    }
  }
  return places;
}

Service::Service(protocol::Greeting greeting, Device device,
                 std::unique_ptr<Baseline> baseline)
    : greeting_(std::move(greeting)),
      device_(std::move(device)),
      baseline_(std::move(baseline)),
      // (A device with memory of its own copies what it needs.)
      buffers_(/*populate=*/!greeting_.own_clock) {}

Result<void> Service::serve(protocol::Channel& channel) {
  for (;;) {
    channel.set_spin_us(std::exchange(staged_now_, false) ? kGoSpinUs : 0);
    auto message = channel.receive();
    if (!message) {
      if (message.error().kind == ErrorKind::absent) return {};
      return error_of(message);
    }
    auto envelope = protocol::Envelope::from_json(message->body);
    if (!envelope) return error_of(envelope);
    // The first message brings the nonce, every other one repeats it.
    if (nonce_.empty()) nonce_ = envelope->nonce;
    if (nonce_.empty() || envelope->nonce != nonce_) {
      return failed("a message with another nonce");
    }
    descriptors_ = std::move(message->descriptors);
    Result<Json> body = failed("no answer");
    try {
      body = dispatch(*envelope);
    } catch (const DeviceFault&) {
      throw;  // ends this process: nothing it says later means anything
    } catch (const std::exception& error) {
      body = failed(error.what());
    }
    descriptors_.clear();
    protocol::Envelope reply;
    reply.nonce = nonce_;
    reply.number = envelope->number;
    if (body) {
      reply.type = envelope->type;
      reply.body = std::move(*body);
    } else {
      const protocol::Failure failure{body.error().kind,
                                      to_valid_utf8(body.error().message)};
      reply.type = std::string(protocol::Failure::kType);
      reply.body = failure.to_json();
    }
    auto sent = channel.send(reply.to_json());
    if (!sent) {
      if (sent.error().kind == ErrorKind::absent) return {};
      return sent;
    }
  }
}

template <typename T>
Result<Json> Service::answer(const T& request) {
  auto reply = handle(request);
  if (!reply) return error_of(reply);
  return reply->to_json();
}

Result<Json> Service::dispatch(const protocol::Envelope& envelope) {
  auto request = protocol::decode_request(envelope);
  if (!request) return error_of(request);
  return std::visit([this](const auto& each) { return answer(each); },
                    *request);
}

Result<protocol::Greeting> Service::handle(const protocol::Hello& request) {
  greeting_.shared_memory = request.shared_memory;
  return greeting_;
}

Result<protocol::Compiled> Service::handle(const protocol::Compile& request) {
  if (!device_.compiler) return not_my_role("compile");
  auto kernel =
      KernelSource::parse(request.kernel_text, request.dialect, request.path);
  if (!kernel) return error_of(kernel);
  return to_message(
      device_.compiler->compile(*kernel, request.signature, request.unit));
}

Result<Done> Service::handle(const protocol::AddBuffer& request) {
  if (descriptors_.size() > 1) return failed("more than one descriptor");
  const Fd none;
  auto added =
      buffers_.add(request, descriptors_.empty() ? none : descriptors_.front());
  if (!added) return error_of(added);
  return Done{};
}

Result<Done> Service::handle(const protocol::DropBuffer& request) {
  if (device_.session) {
    device_.session->forget(buffers_.bytes_of(request.buffer));
  }
  auto dropped = buffers_.drop(request.buffer);
  if (!dropped) return error_of(dropped);
  return Done{};
}

Result<Done> Service::handle(const protocol::WriteBuffer& request) {
  auto written = buffers_.write(request);
  if (!written) return error_of(written);
  return Done{};
}

Result<protocol::BufferContent> Service::handle(
    const protocol::ReadBuffer& request) {
  return buffers_.read(request);
}

Result<protocol::Loaded> Service::handle(const protocol::Load& request) {
  if (!device_.session) return not_my_role("load a kernel");
  auto program = device_.session->load(request.artifact);
  if (!program) return error_of(program);
  return protocol::Loaded{*program};
}

Result<Done> Service::handle(const protocol::Unload& request) {
  if (!device_.session) return not_my_role("unload a kernel");
  device_.session->unload(request.program);
  return Done{};
}

Result<protocol::Prepared> Service::handle(const protocol::Prepare& request) {
  if (!device_.session) return not_my_role("run a kernel");
  protocol::Prepared prepared;
  for (const protocol::Placements& placements : request.placements) {
    auto tensors = buffers_.bind(request.layouts, placements);
    if (!tensors) return error_of(tensors);
    if (auto opened = buffers_.open_for(placements); !opened) {
      return error_of(opened);
    }
    auto call = device_.session->prepare(request.program, request.plan,
                                         std::move(*tensors));
    if (!call) return error_of(call);
    places_[*call] = places_of(request, placements);
    prepared.calls.push_back(*call);
  }
  return prepared;
}

Result<protocol::Prepared> Service::handle(
    const protocol::PrepareBaseline& request) {
  if (!baseline_) return not_my_role("run a baseline");
  protocol::Prepared prepared;
  for (const protocol::Placements& placements : request.placements) {
    auto tensors = buffers_.bind(request.layouts, placements);
    if (!tensors) return error_of(tensors);
    auto call = baseline_->prepare(request.shape, std::move(*tensors));
    if (!call) return error_of(call);
    prepared.calls.push_back(*call);
  }
  if (!prepared.calls.empty()) {
    prepared.path = baseline_->path_of(prepared.calls.front());
  }
  return prepared;
}

Result<Done> Service::handle(const protocol::Release& request) {
  for (const int call : request.calls) {
    if (device_.session) device_.session->release(call);
    places_.erase(call);
    if (baseline_) baseline_->release(call);
  }
  return Done{};
}

// What is staged keeps its memory; all else that kernels wrote is forgotten,
// but for scratch that is promised to stay zero (the judge looks).
Result<void> Service::isolate(const std::vector<CallId>& calls) {
  std::vector<Buffers::Place> used;
  for (const CallId call : calls) {
    const auto found = places_.find(call);
    if (found == places_.end()) continue;
    used.insert(used.end(), found->second.all.begin(), found->second.all.end());
  }
  // Scratch that lasts in other buffers opens none of them.
  std::set<int> buffers;
  for (const Buffers::Place& place : used) buffers.insert(place.buffer);
  for (const auto& [call, places] : places_) {
    for (const Buffers::Place& place : places.lasting) {
      if (buffers.contains(place.buffer)) used.push_back(place);
    }
  }
  return buffers_.isolate(used);
}

Result<Done> Service::handle(const protocol::Stage& request) {
  if (device_.session) {
    // Where memory is apart the session isolates calls in its own.
    auto isolated = device_.info.own_memory
                        ? device_.session->stage(request.calls, request.inputs)
                        : isolate(request.calls);
    if (!isolated) return error_of(isolated);
  }
  if (device_.session) device_.session->get_ready();
  staged_ = request.calls;
  collect_ = request.collect;
  staged_now_ = true;
  return Done{};
}

Result<protocol::Ran> Service::handle(const protocol::Go& /*request*/) {
  protocol::Ran reply;
  Result<void> ran = failed("this runner has nothing to run");
  if (baseline_) {
    ran = baseline_->run(staged_, collect_);
    reply.device_ns = baseline_->device_ns();
  } else if (device_.session) {
    ran = device_.session->run(staged_);
    reply.device_ns = device_.session->device_ns();
  }
  if (!ran) return error_of(ran);
  if (collect_ && device_.session) {
    auto damage = device_.session->collect(staged_);
    if (!damage) return error_of(damage);
    reply.damage = to_valid_utf8(*damage);
    reply.findings = device_.session->findings();
  }
  return reply;
}

Result<protocol::Digests> Service::handle(const protocol::Digest& /*request*/) {
  if (!device_.session) return protocol::Digests{};
  auto digests = device_.session->digests(staged_);
  if (!digests) return error_of(digests);
  return protocol::Digests{std::move(digests->digests),
                           to_valid_utf8(digests->damage)};
}

Result<protocol::Collected> Service::handle(const protocol::Collect& request) {
  if (!device_.session) return protocol::Collected{};
  auto damage = device_.session->collect(request.calls);
  if (!damage) return error_of(damage);
  return protocol::Collected{to_valid_utf8(*damage)};
}

Result<protocol::MachineRates> Service::handle(
    const protocol::Measure& request) {
  if (greeting_.role != protocol::Role::measure) {
    return not_my_role("measure the machine");
  }
  if (!device_.session) return measure_machine(request);
  auto rates = device_.session->measure(request.footprint_bytes, request.flops);
  if (!rates) return error_of(rates);
  return protocol::MachineRates{rates->read_bytes_per_s, rates->bf16_flops, 0};
}

}  // namespace evoke::runner
