#include "evoke/evaluation/runner/runner.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "evoke/base/error.h"
#include "evoke/baselines/baseline.h"
#include "evoke/devices/registry.h"
#include "evoke/evaluation/protocol/channel.h"
#include "evoke/evaluation/runner/confinement.h"
#include "evoke/evaluation/runner/service.h"

namespace evoke::runner {
namespace {

using protocol::Role;

struct Parts {
  Device device;
  std::unique_ptr<Baseline> baseline;
};

Result<Parts> open_parts(const RunnerOptions& options) {
  Parts parts;
  if (options.role == Role::baseline) {
    show_only_device(options.device);
    auto baseline = open_baseline(options.baseline, options.num_threads);
    if (!baseline) return error_of(baseline);
    parts.baseline = std::move(*baseline);
    return parts;
  }
  // The host itself is measured by the runner's own probes.
  const bool measuring = options.role == Role::measure;
  if (measuring && options.device == "cpu") return parts;
  DeviceOptions device_options;
  device_options.num_threads = options.num_threads;
  device_options.scratch_folder = options.private_folder;
  device_options.with_compiler = options.role == Role::compile;
  device_options.with_session = options.role == Role::execute || measuring;
  auto device = open_device(options.device, device_options);
  if (!device) return error_of(device);
  parts.device = std::move(*device);
  return parts;
}

protocol::Greeting greeting_of(const RunnerOptions& options,
                               const Parts& parts) {
  protocol::Greeting greeting;
  greeting.role = options.role;
  const DeviceInfo& info = parts.device.info;
  greeting.device_kind = info.kind;
  greeting.device_name = info.name;
  greeting.device_id = info.id;
  greeting.limits = info.limits;
  greeting.cache_bytes = info.cache_bytes;
  greeting.features = info.features;
  greeting.own_memory = info.own_memory;
  greeting.memory_bytes = info.memory_bytes;
  greeting.own_clock = info.own_clock;
  if (parts.device.compiler) greeting.compiler_id = parts.device.compiler->id();
  if (parts.baseline) {
    greeting.baseline_name = parts.baseline->name();
    greeting.baseline_version = parts.baseline->version();
    greeting.own_memory = parts.baseline->has_own_clock();
    greeting.own_clock = parts.baseline->has_own_clock();
  }
  return greeting;
}

// Tells the judge why there will be no runner: the answer to its hello.
void answer_failure(protocol::Channel& channel, const Error& error) {
  auto message = channel.receive();
  if (!message) return;
  auto envelope = protocol::Envelope::from_json(message->body);
  if (!envelope) return;
  envelope->type = std::string(protocol::Failure::kType);
  envelope->body = protocol::Failure{error.kind, error.message}.to_json();
  // Nobody is left to tell when this fails.
  (void)channel.send(envelope->to_json());
}

}  // namespace

int run(const RunnerOptions& options) {
  protocol::Channel channel{Fd(options.fd)};
  std::vector<std::string> readable = options.readable;
  for (std::string& folder : device_folders(options.device)) {
    readable.push_back(std::move(folder));
  }
  Confinement confinement({options.role, options.private_folder,
                           std::move(readable), options.cpu_seconds,
                           kind_of_device(options.device) == "cuda"});
  if (options.role == Role::compile) look_ahead(options.device);
  confinement.enter();
  auto parts = open_parts(options);
  if (!parts) {
    answer_failure(channel, parts.error());
    return 1;
  }
  confinement.seal();
  protocol::Greeting greeting = greeting_of(options, *parts);
  greeting.confinement = confinement.record();
  Service service(std::move(greeting), std::move(parts->device),
                  std::move(parts->baseline));
  Result<void> served;
  try {
    served = service.serve(channel);
  } catch (const DeviceFault& fault) {
    std::fprintf(stderr, "evoke_runner: %s\n", fault.what());
    std::fflush(stderr);
    // At once: a driver in this state may not survive its own clean-up.
    std::_Exit(static_cast<int>(fault.reason()));
  }
  if (!served) throw StartupError("[runner::run] " + served.error().message);
  return 0;
}

}  // namespace evoke::runner
