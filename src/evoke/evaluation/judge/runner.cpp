#include "evoke/evaluation/judge/runner.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/utf8.h"
#include "evoke/core/exit_reason.h"
#include "evoke/evaluation/judge/process.h"

namespace evoke::judge {
namespace {

using Kind = RunnerFault::Kind;

constexpr int kRunnerFd = 3;
// Which GPUs there are and where NVIDIA's compiler is: all that a runner's
// environment ever holds.
constexpr const char* kCudaVariables[] = {
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME",  "CUDA_PATH",
    "EVOKE_NVRTC",          "EVOKE_CUDA_BIN",    "VIRTUAL_ENV"};
// How often the runner's memory is looked at while it is waited for.
constexpr int64_t kWatchSliceMs = 50;
// How long a runner that closed its connection may take to end, alone or with
// a tool that has yet to say what it saw.
constexpr int64_t kEndTimeoutMs = 2'000;
constexpr int64_t kWatchedEndTimeoutMs = 60'000;

// From the operating system, like every secret here.
std::string make_nonce() {
  std::random_device device;
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%08x%08x%08x%08x", device(),
                device(), device(), device());
  return text.data();
}

}  // namespace

Runner::Runner(protocol::Channel channel, Subprocess process,
               RunnerLimits limits, bool shared_memory, std::string nonce)
    : channel_(std::move(channel)),
      process_(std::move(process)),
      limits_(limits),
      shared_memory_(shared_memory),
      end_timeout_ms_(kEndTimeoutMs),
      nonce_(std::move(nonce)) {}

Runner::~Runner() {
  const std::lock_guard lock(kill_mutex_);
  if (usable_) kill_with_descendants(process_.pid());
  process_.kill();
}

RunnerResult<std::unique_ptr<Runner>> Runner::start(const std::string& program,
                                                    const RunnerSpec& spec,
                                                    const RunnerLimits& limits,
                                                    bool shared_memory) {
  auto channels = protocol::Channel::make_pair();
  if (!channels) return own_fault(channels.error());
  SubprocessOptions options;
  options.arguments = spec.tool.launcher;
  for (const std::string& argument :
       {program, std::string("--role"), std::string(to_string(spec.role)),
        std::string("--device"), spec.device, std::string("--threads"),
        std::to_string(spec.num_threads), std::string("--fd"),
        std::to_string(kRunnerFd)}) {
    options.arguments.push_back(argument);
  }
  options.environment = spec.tool.environment;
  const auto add = [&](const char* name, const std::string& value) {
    options.arguments.emplace_back(name);
    options.arguments.push_back(value);
  };
  if (!spec.baseline.empty()) add("--baseline", spec.baseline);
  if (!spec.private_folder.empty()) {
    add("--private-folder", spec.private_folder);
  }
  if (spec.cpu_seconds > 0) {
    add("--cpu-seconds", std::to_string(spec.cpu_seconds));
  }
  if (spec.device.starts_with("cuda")) {
    for (const char* name : kCudaVariables) {
      const char* const value = std::getenv(name);
      if (value == nullptr) continue;
      options.environment.push_back(std::string(name) + "=" + value);
    }
  }
  options.keep_fds = {{channels->second.fd(), kRunnerFd}};
  auto process = Subprocess::start(options);
  if (!process) {
    return fault(Kind::unavailable,
                 process.error().kind == ErrorKind::absent
                     ? process.error().message + "; build it, or name its place"
                     : process.error().message);
  }
  std::unique_ptr<Runner> runner(new Runner(std::move(channels->first),
                                            std::move(*process), limits,
                                            shared_memory, make_nonce()));
  if (!spec.tool.name.empty()) runner->end_timeout_ms_ = kWatchedEndTimeoutMs;
  return runner;
}

RunnerResult<void> Runner::greet() {
  protocol::Hello hello;
  hello.shared_memory = shared_memory_;
  auto greeting = call(hello, limits_.start_timeout_ms);
  if (!greeting) {
    auto fault = greeting.error();
    // Whatever went wrong here, no candidate was involved.
    if (fault.kind != Kind::cancelled) fault.kind = Kind::unavailable;
    return tl::unexpected<RunnerFault>(std::move(fault));
  }
  if (greeting->version != protocol::kVersion) {
    return end(Kind::unavailable,
               "the runner speaks another version of the protocol; build it "
               "together with this program");
  }
  greeting_ = std::move(*greeting);
  shared_memory_ = shared_memory_ && greeting_.shared_memory;
  return {};
}

Runner::SharedCalls::SharedCalls(Runner& runner, const DeviceLock& lock,
                                 std::function<bool()> stop)
    : runner_(runner) {
  runner_.share_ = [&lock, stop = std::move(stop)] { return lock.share(stop); };
}

Runner::SharedCalls::~SharedCalls() { runner_.share_ = nullptr; }

RunnerResult<Json> Runner::exchange(std::string_view type, Json body,
                                    int64_t timeout_ms,
                                    std::span<const int> descriptors) {
  if (!usable_) return fault(Kind::unavailable, "the runner is gone");
  std::optional<DeviceLock::Claim> share;
  if (share_ && !held_) {
    share = share_();
    if (!share) return end(Kind::cancelled, "cancelled");
  }
  protocol::Envelope envelope;
  envelope.nonce = nonce_;
  envelope.number = ++number_;
  envelope.type = std::string(type);
  envelope.body = std::move(body);
  const int64_t deadline_ns = monotonic_ns() + timeout_ms * 1'000'000;
  auto sent = channel_.send(envelope.to_json(), descriptors, timeout_ms);
  if (!sent) return end_after(sent.error());
  auto message = await(deadline_ns);
  if (!message) return fault_of(message);
  auto reply = protocol::Envelope::from_json(message->body);
  if (!reply) return end(Kind::garbage, reply.error().message);
  if (reply->nonce != nonce_ || reply->number != number_ ||
      !message->descriptors.empty()) {
    return end(Kind::garbage, "the runner answered something not asked");
  }
  if (reply->type == protocol::Failure::kType) {
    auto failure = protocol::Failure::from_json(reply->body);
    if (!failure) return end(Kind::garbage, failure.error().message);
    return fault(Kind::refused, failure->message);
  }
  if (reply->type != type) {
    return end(Kind::garbage, "the runner answered with another type");
  }
  return std::move(reply->body);
}

RunnerResult<protocol::Message> Runner::await(int64_t deadline_ns) {
  for (;;) {
    const int64_t left_ns = deadline_ns - monotonic_ns();
    const int64_t left_ms = std::max<int64_t>(left_ns / 1'000'000, 0);
    if (channel_.wait_readable(std::min(left_ms, kWatchSliceMs))) {
      auto message = channel_.receive(left_ms + 1000);
      if (!message) return end_after(message.error());
      return std::move(*message);
    }
    if (left_ns <= 0) return end(Kind::timed_out, "no answer in time");
    int64_t bytes = private_memory_bytes(process_.pid());
    for (const auto& [buffer, copied] : copied_bytes_) bytes -= copied;
    if (bytes > limits_.memory_bytes) {
      return end(Kind::out_of_memory,
                 "used " + std::to_string(bytes >> 20) + " MB of memory; " +
                     std::to_string(limits_.memory_bytes >> 20) +
                     " MB are allowed");
    }
  }
}

tl::unexpected<RunnerFault> Runner::end_after(const Error& error) {
  if (error.kind == ErrorKind::timed_out) {
    return end(Kind::timed_out, "no answer in time");
  }
  if (cancelled_) return end(Kind::cancelled, "cancelled");
  // Closed, or closed in the middle: how did it end?
  channel_.close();
  std::optional<ExitStatus> status;
  {
    const std::lock_guard lock(kill_mutex_);
    status = process_.wait(end_timeout_ms_);
    if (status) usable_ = false;
  }
  if (!status) return end(Kind::garbage, error.message);
  if (status->signal == SIGXCPU) {
    return end(Kind::timed_out, describe_signal(status->signal));
  }
  if (status->signal == SIGKILL) {
    return end(Kind::unavailable,
               "ended by " + describe_signal(status->signal));
  }
  if (status->signal != 0) {
    return end(Kind::died, "ended by " + describe_signal(status->signal));
  }
  if (const auto reason = describe_exit(status->code); !reason.empty()) {
    return end(is_hardware_fault(status->code) ? Kind::unavailable : Kind::died,
               "ended by " + std::string(reason));
  }
  if (error.kind == ErrorKind::failed) return end(Kind::garbage, error.message);
  return end(Kind::died,
             "ended with exit code " + std::to_string(status->code));
}

tl::unexpected<RunnerFault> Runner::end(Kind kind, std::string message) {
  channel_.close();
  {
    const std::lock_guard lock(kill_mutex_);
    kill_with_descendants(process_.pid());
    process_.kill();
    usable_ = false;
  }
  if (cancelled_) kind = Kind::cancelled;
  return fault(kind, std::move(message));
}

void Runner::cancel() {
  cancelled_ = true;
  const std::lock_guard lock(kill_mutex_);
  if (usable_) kill_with_descendants(process_.pid());
}

void Runner::pause() {
  const std::lock_guard lock(kill_mutex_);
  if (usable_) pause_with_descendants(process_.pid());
}

void Runner::resume() {
  const std::lock_guard lock(kill_mutex_);
  if (usable_) resume_with_descendants(process_.pid());
}

WatchedEnd Runner::finish() {
  channel_.close();
  usable_ = false;
  const int64_t deadline_ns = monotonic_ns() + end_timeout_ms_ * 1'000'000;
  std::optional<ExitStatus> status;
  while (!status && !cancelled_ && monotonic_ns() < deadline_ns) {
    const std::lock_guard lock(kill_mutex_);
    status = process_.wait(kWatchSliceMs);
  }
  if (!status) {
    const std::lock_guard lock(kill_mutex_);
    status = process_.kill();
  }
  return {*status, output_tail()};
}

std::string Runner::output_tail() { return to_valid_utf8(process_.output()); }

RunnerResult<int> Runner::lend(const protocol::SharedMemory& memory,
                               bool writable) {
  protocol::AddBuffer add;
  add.buffer = next_buffer_++;
  add.bytes = memory.size();
  add.writable = writable;
  add.shared = shared_memory_;
  constexpr int64_t kTimeoutMs = 20'000;
  if (!shared_memory_) copied_bytes_[add.buffer] = add.bytes;
  const std::array<int, 1> descriptors{memory.fd()};
  auto added = call(add, kTimeoutMs,
                    shared_memory_ ? std::span<const int>(descriptors)
                                   : std::span<const int>());
  if (!added) {
    copied_bytes_.erase(add.buffer);
    return fault_of(added);
  }
  auto pushed = push(add.buffer, memory, 0, memory.size());
  if (!pushed) return fault_of(pushed);
  return add.buffer;
}

RunnerResult<void> Runner::take_back(int buffer) {
  constexpr int64_t kTimeoutMs = 20'000;
  auto dropped = call(protocol::DropBuffer{buffer}, kTimeoutMs);
  if (!dropped) return fault_of(dropped);
  copied_bytes_.erase(buffer);
  return {};
}

RunnerResult<void> Runner::push(int buffer,
                                const protocol::SharedMemory& memory,
                                int64_t offset_bytes, int64_t bytes) {
  if (shared_memory_) return {};
  constexpr int64_t kTimeoutMs = 60'000;
  const int64_t step = protocol::kMaxInlineBytes;
  for (int64_t done = 0; done < bytes; done += step) {
    protocol::WriteBuffer write;
    write.buffer = buffer;
    write.offset_bytes = offset_bytes + done;
    const auto part = memory.bytes().subspan(
        static_cast<std::size_t>(write.offset_bytes),
        static_cast<std::size_t>(std::min(step, bytes - done)));
    write.data.assign(part.begin(), part.end());
    auto written = call(write, kTimeoutMs);
    if (!written) return fault_of(written);
  }
  return {};
}

RunnerResult<void> Runner::pull(int buffer,
                                const protocol::SharedMemory& memory,
                                int64_t offset_bytes, int64_t bytes) {
  if (shared_memory_) return {};
  constexpr int64_t kTimeoutMs = 60'000;
  const int64_t step = protocol::kMaxInlineBytes;
  for (int64_t done = 0; done < bytes; done += step) {
    protocol::ReadBuffer read{buffer, offset_bytes + done,
                              std::min(step, bytes - done)};
    auto content = call(read, kTimeoutMs);
    if (!content) return fault_of(content);
    if (static_cast<int64_t>(content->data.size()) != read.bytes) {
      return end(Kind::garbage, "the runner sent another number of bytes");
    }
    std::copy(content->data.begin(), content->data.end(),
              memory.bytes().begin() + read.offset_bytes);
  }
  return {};
}

}  // namespace evoke::judge
