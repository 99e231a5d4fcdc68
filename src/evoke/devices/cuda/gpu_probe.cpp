#include "evoke/devices/cuda/gpu_probe.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"

namespace evoke::cuda {
namespace {

// Every field of a Gpu, in one place for both directions.
template <typename TheGpu, typename Visit>
void visit_fields(TheGpu& gpu, const Visit& visit) {
  visit("number", gpu.number);
  visit("index", gpu.index);
  visit("name", gpu.name);
  visit("uuid", gpu.uuid);
  visit("major", gpu.major);
  visit("minor", gpu.minor);
  visit("driver_version", gpu.driver_version);
  visit("memory_bytes", gpu.memory_bytes);
  visit("num_sms", gpu.limits.num_sms);
  visit("l2_bytes", gpu.limits.l2_bytes);
  visit("max_threadgroup_memory", gpu.limits.max_threadgroup_memory);
  visit("max_threads", gpu.limits.max_threads);
  visit("max_threadgroups", gpu.limits.max_threadgroups);
  visit("max_scratch_bytes", gpu.limits.max_scratch_bytes);
  visit("registers", gpu.sm.registers);
  visit("shared_bytes", gpu.sm.shared_bytes);
  visit("reserved_shared_bytes", gpu.sm.reserved_shared_bytes);
  visit("threads", gpu.sm.threads);
  visit("threadgroups", gpu.sm.threadgroups);
  visit("warp_size", gpu.sm.warp_size);
  visit("register_unit", gpu.sm.register_unit);
  visit("shared_unit", gpu.sm.shared_unit);
}

[[noreturn]] void answer(const std::string& selector, int fd) {
  std::string text;
  const auto driver = load_driver();
  if (!driver) {
    text = Json{{"absent", driver.error().message}}.dump();
  } else if (const auto gpu = find_gpu(**driver, selector); !gpu) {
    text = Json{{"absent", gpu.error().message}}.dump();
  } else {
    text = to_text(*gpu);
  }
  const char* at = text.data();
  std::size_t left = text.size();
  while (left > 0) {
    const ssize_t written = ::write(fd, at, left);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    at += written;
    left -= static_cast<std::size_t>(written);
  }
  ::_exit(left == 0 ? 0 : 1);
}

}  // namespace

std::string to_text(const Gpu& gpu) {
  Json json = Json::object();
  visit_fields(
      gpu, [&](const char* name, const auto& value) { json[name] = value; });
  return json.dump();
}

Result<Gpu> gpu_from_text(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    if (json.contains("absent")) {
      return absent(json.at("absent").get<std::string>());
    }
    Gpu gpu;
    visit_fields(gpu, [&](const char* name, auto& value) {
      json.at(name).get_to(value);
    });
    return gpu;
  } catch (const std::exception& error) {
    return failed(std::string("the CUDA driver gave no sensible answer: ") +
                  error.what());
  }
}

Result<Gpu> find_gpu_apart(const std::string& selector) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return failed(std::string("no pipe: ") + std::strerror(errno));
  }
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) {
    return failed(std::string("no process for the CUDA driver: ") +
                  std::strerror(errno));
  }
  if (child == 0) answer(selector, writing.get());
  writing = Fd();
  std::string text;
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t got = ::read(reading.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    return absent(std::string("the CUDA driver itself was ended: ") +
                  ::strsignal(WTERMSIG(status)));
  }
  return gpu_from_text(text);
}

}  // namespace evoke::cuda
