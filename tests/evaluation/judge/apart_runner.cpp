// A runner whose device is this processor, kept as if it had memory and a clock
// of its own, like a GPU: what the judge does with such devices runs where
// there is none. Not confined: only tests start it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "evoke/base/hash.h"
#include "evoke/devices/registry.h"
#include "evoke/evaluation/protocol/channel.h"
#include "evoke/evaluation/runner/runner.h"
#include "evoke/evaluation/runner/service.h"

namespace evoke::test {
namespace {

constexpr int64_t kMemoryBytes = int64_t{1} << 30;

class ApartSession final : public DeviceSession {
 public:
  explicit ApartSession(std::unique_ptr<DeviceSession> inner)
      : inner_(std::move(inner)) {}

  Result<ProgramId> load(std::span<const std::byte> artifact) override {
    return inner_->load(artifact);
  }
  void unload(ProgramId program) override { inner_->unload(program); }

  Result<CallId> prepare(ProgramId program, const LaunchPlan& plan,
                         std::vector<BoundTensor> tensors) override {
    const std::size_t num_problem = tensors.size() - plan.scratch.size();
    std::vector<BoundTensor> there;
    Call call;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      Mirror& mirror = mirror_of(tensors[i].buffer);
      const Place place{&mirror, tensors[i]};
      if (!mirror.writable) {
        if (!mirror.sums.contains(place.begin())) place.bring();
        call.inputs.push_back(place);
      } else if (i < num_problem) {
        call.outputs.push_back(place);
      } else {
        const bool lasts = plan.scratch[i - num_problem].self_reset;
        (lasts ? call.lasting : call.scratch).push_back(place);
      }
      there.push_back(place.bound());
    }
    auto id = inner_->prepare(program, plan, std::move(there));
    if (!id) return id;
    for (const Place& place : call.lasting) {
      place.mirror->lasting[place.begin()] = place.bytes();
      place.fetch();  // what was zeroed
    }
    calls_[*id] = std::move(call);
    return id;
  }
  void release(CallId id) override {
    calls_.erase(id);
    inner_->release(id);
  }
  void forget(std::span<const std::byte> buffer) override {
    std::erase_if(calls_, [&](const auto& each) {
      const auto& [id, call] = each;
      for (const auto* places :
           {&call.inputs, &call.outputs, &call.scratch, &call.lasting}) {
        for (const Place& place : *places) {
          if (place.mirror->host != buffer.data()) continue;
          inner_->release(id);
          return true;
        }
      }
      return false;
    });
    mirrors_.erase(buffer.data());
  }
  Result<void> stage(std::span<const CallId> calls, bool inputs) override {
    for (const CallId id : calls) {
      const Call& call = calls_.at(id);
      for (const auto* places : {&call.outputs, &call.scratch, &call.lasting}) {
        for (const Place& place : *places) place.mirror->wipe();
      }
      for (const Place& place : call.inputs) {
        if (inputs) place.bring();
      }
    }
    return {};
  }
  Result<void> run(std::span<const CallId> calls) override {
    const auto begin = std::chrono::steady_clock::now();
    auto ran = inner_->run(calls);
    const auto took = std::chrono::steady_clock::now() - begin;
    ns_ = std::chrono::nanoseconds(took).count();
    return ran;
  }
  std::optional<int64_t> device_ns() const override { return ns_; }
  Result<DeviceDigests> digests(std::span<const CallId> calls) override {
    DeviceDigests digests;
    for (const CallId id : calls) {
      const Call& call = calls_.at(id);
      std::string all;
      for (const Place& place : call.outputs) all += place.sum();
      digests.digests.push_back(hash_hex(all));
      if (digests.damage.empty()) digests.damage = changed(call);
    }
    return digests;
  }
  Result<std::string> collect(std::span<const CallId> calls) override {
    std::string damage;
    for (const CallId id : calls) {
      const Call& call = calls_.at(id);
      for (const auto* places : {&call.outputs, &call.scratch, &call.lasting}) {
        for (const Place& place : *places) place.fetch();
      }
      if (damage.empty()) damage = changed(call);
    }
    // For tests that count.
    std::fprintf(stderr, "collected %zu\n", calls.size());
    return damage;
  }

 private:
  struct Mirror {
    std::byte* host = nullptr;
    std::size_t size = 0;
    bool writable = false;
    std::vector<std::byte> memory;           // a page more than the buffer
    std::byte* begin = nullptr;              // in it, where a page begins
    std::map<int64_t, std::string> sums;     // of inputs, by where they begin
    std::map<int64_t, std::size_t> lasting;  // bytes, by where they begin

    // All but what lasts.
    void wipe() {
      std::size_t done = 0;
      for (const auto& [at, bytes] : lasting) {
        const auto next = static_cast<std::size_t>(at);
        std::memset(begin + done, 0xff, next - done);
        done = next + bytes;
      }
      std::memset(begin + done, 0xff, size - done);
    }
  };
  // A tensor's allocation.
  struct Place {
    Mirror* mirror = nullptr;
    BoundTensor tensor;

    int64_t begin() const {
      return tensor.data - tensor.layout.offset_bytes - mirror->host;
    }
    std::size_t bytes() const {
      return static_cast<std::size_t>(tensor.layout.allocation_bytes);
    }
    std::byte* there() const { return mirror->begin + begin(); }
    std::string sum() const {
      return hash_hex(std::span<const std::byte>(there(), bytes()));
    }
    void bring() const {
      std::memcpy(there(), mirror->host + begin(), bytes());
      mirror->sums[begin()] = sum();
    }
    // With the guard bands around it.
    void fetch() const {
      constexpr std::size_t kReach = 4096;
      const auto at = static_cast<std::size_t>(begin());
      const std::size_t first = at - std::min(at, kReach);
      const std::size_t last = std::min(at + bytes() + kReach, mirror->size);
      std::memcpy(mirror->host + first, mirror->begin + first, last - first);
    }
    BoundTensor bound() const {
      BoundTensor bound = tensor;
      bound.data = there() + tensor.layout.offset_bytes;
      bound.buffer.bytes = {mirror->begin, tensor.buffer.bytes.size()};
      return bound;
    }
  };
  struct Call {
    std::vector<Place> inputs;
    std::vector<Place> outputs;
    std::vector<Place> scratch;
    std::vector<Place> lasting;
  };

  Mirror& mirror_of(const HostBuffer& buffer) {
    Mirror& mirror = mirrors_[buffer.bytes.data()];
    if (mirror.host != nullptr) return mirror;
    constexpr std::size_t kPage = 4096;
    mirror.host = buffer.bytes.data();
    mirror.size = buffer.bytes.size();
    mirror.writable = buffer.writable;
    mirror.memory.resize(buffer.bytes.size() + kPage);
    const auto at = reinterpret_cast<uintptr_t>(mirror.memory.data());
    mirror.begin = mirror.memory.data() + (kPage - at % kPage) % kPage;
    return mirror;
  }
  static std::string changed(const Call& call) {
    for (const Place& place : call.inputs) {
      if (place.sum() == place.mirror->sums.at(place.begin())) continue;
      return "changed its input '" + place.tensor.layout.name + "'";
    }
    return std::string();
  }

  std::unique_ptr<DeviceSession> inner_;
  std::map<const std::byte*, Mirror> mirrors_;
  std::map<CallId, Call> calls_;
  std::optional<int64_t> ns_;
};

void serve(const runner::RunnerOptions& options) {
  DeviceOptions asked;
  asked.num_threads = options.num_threads;
  asked.scratch_folder = options.private_folder;
  asked.with_compiler = options.role == protocol::Role::compile;
  asked.with_session = options.role == protocol::Role::execute;
  auto device = open_device(options.device, asked);
  if (!device) throw StartupError(device.error().message);
  device->info.own_memory = true;
  device->info.own_clock = true;
  if (device->session) {
    device->session =
        std::make_unique<ApartSession>(std::move(device->session));
  }
  protocol::Greeting greeting;
  greeting.role = options.role;
  greeting.device_kind = device->info.kind;
  greeting.device_name = device->info.name;
  greeting.limits = device->info.limits;
  greeting.cache_bytes = device->info.cache_bytes;
  greeting.own_memory = true;
  greeting.own_clock = true;
  greeting.memory_bytes = kMemoryBytes;
  greeting.confinement = Json::object();
  if (device->compiler) greeting.compiler_id = device->compiler->id();
  protocol::Channel channel{Fd(options.fd)};
  runner::Service service(std::move(greeting), std::move(*device), nullptr);
  if (auto served = service.serve(channel); !served) {
    throw StartupError(served.error().message);
  }
}

}  // namespace
}  // namespace evoke::test

int main(int argc, char** argv) {
  evoke::runner::RunnerOptions options;
  std::string role;
  CLI::App app("The runner, on a device that is apart from the host.");
  app.add_option("--role", role);
  app.add_option("--device", options.device);
  app.add_option("--baseline", options.baseline);
  app.add_option("--threads", options.num_threads);
  app.add_option("--private-folder", options.private_folder);
  app.add_option("--cpu-seconds", options.cpu_seconds);
  app.add_option("--fd", options.fd);
  CLI11_PARSE(app, argc, argv);
  try {
    options.role = evoke::protocol::parse_role(role).value();
    // Others do not know the device, or the host does it for them.
    if (options.role != evoke::protocol::Role::compile &&
        options.role != evoke::protocol::Role::execute) {
      return evoke::runner::run(options);
    }
    evoke::test::serve(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "apart_runner: %s\n", error.what());
    return 1;
  }
  return 0;
}
