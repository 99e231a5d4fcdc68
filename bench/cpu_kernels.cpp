// Times kernel files of the cpu dialect on the shapes of the quick workload.
//
//   cpu_kernels [--threads N] [--set NAME=VALUE]... [--warm] [--shape PART]
//               [--probe] FILE...
//
// --set changes a parameter in every variant. --probe only measures how much
// this machine reads per second. Cold (the default) rotates through as many
// copies of the inputs as fill 1 GB; --warm uses one copy. The time shown is
// the median of blocks, per call; the error is the worst of any element
// against a double reference, relative to its row's largest. A tool for
// authors: no verdict, no gate.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evoke/base/clock.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/devices/cpu/thread_pool.h"
#include "evoke/devices/registry.h"
#include "tests/devices/attention_call.h"

namespace evoke {
namespace {

using testing::AttentionCall;
using testing::CallShape;

constexpr int64_t kColdBytes = int64_t{1} << 30;
constexpr double kBlockMs = 20;
constexpr int kBlocks = 15;

struct Options {
  int threads = 0;
  bool warm = false;
  bool probe = false;
  std::string shape;
  std::vector<std::pair<std::string, int64_t>> sets;
  std::vector<std::string> files;
};

struct NamedShape {
  const char* name;
  CallShape shape;
};

const NamedShape kShapes[] = {
    {"decode-256", {1, 16, 8, 1, 256, 128, false, false}},
    {"decode-1024", {1, 16, 8, 1, 1024, 128, false, false}},
    {"decode-4096", {1, 16, 8, 1, 4096, 128, false, false}},
    {"prefill-64", {1, 16, 8, 64, 64, 128, true, false}},
    {"prefill-512", {1, 16, 8, 512, 512, 128, true, false}},
};

int64_t input_bytes(const CallShape& s) {
  return int64_t{2} * s.B * s.D *
         (2 * int64_t{s.Hq} * s.Lq + 2 * int64_t{s.Hkv} * s.Lk);
}

double flops(const CallShape& s) {
  double keys = 0;
  for (int i = 0; i < s.Lq; ++i) keys += s.causal ? s.Lk - s.Lq + i + 1 : s.Lk;
  return 4.0 * s.B * s.Hq * s.D * keys;
}

struct Fill {
  const std::byte* data;
  std::size_t part_bytes;
};

// Reads 64-byte lines and keeps their sum.
void read_part(const void* context, uint64_t begin, uint64_t end,
               std::byte* memory) {
  const auto& fill = *static_cast<const Fill*>(context);
  typedef uint64_t Line __attribute__((vector_size(64)));
  Line sums[4] = {};
  for (uint64_t part = begin; part < end; ++part) {
    const auto* const lines =
        reinterpret_cast<const Line*>(fill.data + part * fill.part_bytes);
    for (std::size_t i = 0; i < fill.part_bytes / 64; i += 4) {
      for (std::size_t n = 0; n < 4; ++n) sums[n] += lines[i + n];
    }
  }
  for (const Line& sum : sums) *reinterpret_cast<Line*>(memory) = sum;
}

void probe(const Options& options) {
  cpu::ThreadPoolOptions pool_options;
  pool_options.num_threads = options.threads;
  cpu::ThreadPool pool(pool_options);
  const testing::Memory memory(kColdBytes);
  const Fill fill{memory.data(), 1 << 18};
  const cpu::PoolTask task{read_part, &fill, kColdBytes / fill.part_bytes};
  double best_ms = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 5; ++i) {
    const double start_ms = monotonic_ms();
    pool.run({&task, 1}, 0);
    best_ms = std::min(best_ms, monotonic_ms() - start_ms);
  }
  fmt::print("reads {:.1f} GB/s with {} threads\n", kColdBytes / best_ms * 1e-6,
             pool.num_threads());
  const cpu::PoolTask nothing{read_part, &fill, 0};
  const std::vector<cpu::PoolTask> many(10000, nothing);
  const double start_ms = monotonic_ms();
  pool.run(many, 0);
  fmt::print("an empty launch takes {:.0f} ns\n",
             (monotonic_ms() - start_ms) * 1e6 / 10000);
}

Result<KernelSource> read_kernel(const std::string& path,
                                 const Options& options) {
  auto kernel = KernelSource::read(path);
  if (!kernel || options.sets.empty()) return kernel;
  KernelPlan plan = kernel->plan();
  for (const auto& [name, value] : options.sets) {
    for (Parameter& parameter : plan.parameters) {
      if (parameter.name == name) parameter.value = value;
    }
    for (Variant& variant : plan.variants) {
      const auto found = variant.parameters.find(name);
      if (found != variant.parameters.end()) found->second = value;
    }
  }
  return kernel->with_plan(plan);
}

struct Numbers {
  double median_us = 0;
  double least_us = 0;
  double error = 0;
  double compile_ms = 0;
};

Result<Numbers> time_shape(Device& device, const KernelSource& kernel,
                           const CallShape& shape, bool warm) {
  const ProblemSignature signature = testing::attention_signature();
  const auto plan =
      resolve(kernel, signature, testing::to_shape(shape), device.info.limits);
  if (!plan) return error_of(plan);
  const CompileReply reply =
      device.compiler->compile(kernel, signature, unit_of(*plan));
  if (reply.status != CompileReply::Status::ok) {
    return failed(reply.diagnostics);
  }
  if (!reply.diagnostics.empty()) fmt::print("{}\n", reply.diagnostics);
  const auto program = device.session->load(reply.artifact);
  if (!program) return error_of(program);

  const int64_t copies =
      warm ? 1 : std::clamp<int64_t>(kColdBytes / input_bytes(shape), 2, 2000);
  const testing::Scratch scratch(*plan);
  std::vector<std::unique_ptr<AttentionCall>> inputs;
  std::vector<CallId> calls;
  for (int64_t i = 0; i < copies; ++i) {
    // Only the first copies need values of their own.
    inputs.push_back(
        std::make_unique<AttentionCall>(shape, static_cast<uint64_t>(i)));
    auto tensors = inputs.back()->tensors();
    tensors.insert(tensors.end(), scratch.tensors().begin(),
                   scratch.tensors().end());
    const auto call = device.session->prepare(*program, *plan, tensors);
    if (!call) return error_of(call);
    calls.push_back(*call);
  }
  std::vector<CallId> block;
  std::size_t next = 0;
  const auto fill_block = [&](std::size_t count) {
    block.clear();
    for (std::size_t i = 0; i < count; ++i) {
      block.push_back(calls[next++ % calls.size()]);
    }
  };
  const auto run_block = [&]() -> double {
    const double start_ms = monotonic_ms();
    (void)device.session->run(block);
    return monotonic_ms() - start_ms;
  };
  fill_block(3);
  run_block();
  const double once_ms = run_block() / 3;
  const auto per_block =
      static_cast<std::size_t>(std::clamp(kBlockMs / once_ms, 1.0, 5000.0));
  std::vector<double> times_us;
  for (int i = 0; i < kBlocks; ++i) {
    fill_block(per_block);
    times_us.push_back(run_block() * 1e3 / static_cast<double>(per_block));
  }
  std::sort(times_us.begin(), times_us.end());
  Numbers numbers;
  numbers.median_us = times_us[times_us.size() / 2];
  numbers.least_us = times_us[0];
  numbers.error = inputs[0]->worst_error(17);
  numbers.compile_ms = reply.elapsed_ms;
  for (const CallId call : calls) device.session->release(call);
  device.session->unload(*program);
  return numbers;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool more = i + 1 < argc;
    if (word == "--warm") {
      options.warm = true;
    } else if (word == "--probe") {
      options.probe = true;
    } else if (word == "--threads" && more) {
      options.threads = std::stoi(argv[++i]);
    } else if (word == "--shape" && more) {
      options.shape = argv[++i];
    } else if (word == "--set" && more) {
      const std::string set = argv[++i];
      const std::size_t at = set.find('=');
      if (at == std::string::npos) return std::nullopt;
      options.sets.emplace_back(set.substr(0, at),
                                std::stoll(set.substr(at + 1)));
    } else if (!word.starts_with("--")) {
      options.files.push_back(word);
    } else {
      return std::nullopt;
    }
  }
  if (options.files.empty() && !options.probe) return std::nullopt;
  return options;
}

int run(const Options& options) {
  if (options.probe) probe(options);
  if (options.files.empty()) return 0;
  DeviceOptions device_options;
  device_options.num_threads = options.threads;
  device_options.with_compiler = true;
  device_options.with_session = true;
  auto device = open_device("cpu", device_options);
  if (!device) {
    fmt::print(stderr, "{}\n", device.error().message);
    return 1;
  }
  fmt::print("{}\n", device->info.name);
  for (const std::string& file : options.files) {
    const auto kernel = read_kernel(file, options);
    if (!kernel) {
      fmt::print(stderr, "{}\n", kernel.error().message);
      return 1;
    }
    for (const NamedShape& each : kShapes) {
      if (std::string(each.name).find(options.shape) == std::string::npos) {
        continue;
      }
      const auto numbers =
          time_shape(*device, *kernel, each.shape, options.warm);
      if (!numbers) {
        fmt::print("{}: {}: {}\n", file, each.name, numbers.error().message);
        continue;
      }
      fmt::print(
          "{:<22} {:<12} {:10.1f} us  (least {:.1f})  {:6.1f} GB/s {:7.1f} "
          "GFLOP/s  error {:.1e}  compiled in {:.0f} ms\n",
          file.substr(file.rfind('/') + 1), each.name, numbers->median_us,
          numbers->least_us,
          static_cast<double>(input_bytes(each.shape)) / numbers->median_us *
              1e-3,
          flops(each.shape) / numbers->median_us * 1e-3, numbers->error,
          numbers->compile_ms);
    }
  }
  return 0;
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) {
  const auto options = evoke::parse(argc, argv);
  if (!options) {
    fmt::print(stderr,
               "usage: cpu_kernels [--threads N] [--set NAME=VALUE]... "
               "[--warm] [--shape PART] [--probe] FILE...\n");
    return 2;
  }
  return evoke::run(*options);
}
