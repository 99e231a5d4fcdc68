#include "trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>

#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/devices/metal/host/compiler.h"
#include "evoke/devices/metal/host/executor.h"
#include "evoke/devices/metal/host/session.h"

namespace evoke::testing {
namespace {

using namespace metal::host;

ProblemSignature signature() {
  ProblemSignature result;
  result.name = "probe";
  result.tensors = {{"x", DType::float32, {"N"}, false},
                    {"y", DType::bfloat16, {"N"}, false},
                    {"z", DType::bfloat16, {"N"}, false},
                    {"n", DType::int32, {"N"}, false},
                    {"h", DType::float16, {"N"}, false},
                    {"output", DType::float32, {"N"}, true}};
  result.sizes = {"N"};
  result.scalars = {"scale"};
  return result;
}

std::string plan_text(const Trial& trial) {
  const bool two = !trial.second_body.empty();
  const bool scratch = two || trial.scratch;
  const auto list = [](const std::array<int, 3>& values) {
    return fmt::format("{}", fmt::join(values, ", "));
  };
  std::string text = "/*evoke\nproblem = \"probe\"\nsummary = \"trial\"\n";
  if (scratch) {
    text += fmt::format(
        "[scratch]\ns = {{ type = \"float32\", shape = [\"N\"]{} }}\n",
        trial.zero_scratch ? ", init = \"zero\"" : "");
  }
  text += "[[variant]]\nname = \"any\"\n";
  text += fmt::format(
      "[[variant.launch]]\nkernel = \"probe\"\nreads = [\"x\", \"y\", \"z\", "
      "\"n\", \"h\"]\n"
      "writes = [\"{}\"]\nthreadgroups = [{}]\nthreads = [{}]\n",
      two       ? "s"
      : scratch ? "output\", \"s"
                : "output",
      list(trial.threadgroups), list(trial.threads));
  if (two) {
    text += fmt::format(
        "[[variant.launch]]\nkernel = \"second\"\nreads = [\"x\", \"s\"]\n"
        "writes = [\"output\"]\nthreadgroups = [{}]\nthreads = [{}]\n",
        list(trial.threadgroups), list(trial.threads));
  }
  return text + "evoke*/\n";
}

std::string kernel_text(const Trial& trial) {
  std::string text = plan_text(trial) + trial.helpers + "\nKERNEL(probe) {\n" +
                     trial.body + "\n}\n";
  if (!trial.second_body.empty()) {
    text += "KERNEL(second) {\n" + trial.second_body + "\n}\n";
  }
  return text;
}

HostCompiler& compiler(MetalVersion version) {
  static std::map<MetalVersion, std::unique_ptr<HostCompiler>> all;
  auto& one = all[version];
  if (!one) {
    CompilerOptions options;
    options.version = version;
    options.max_messages = 1000;
    auto opened = HostCompiler::open(options);
    if (!opened) throw std::runtime_error(opened.error().message);
    one = std::move(*opened);
  }
  return *one;
}

struct Ready {
  KernelSource source;
  LaunchPlan plan;
};

Ready ready(const Trial& trial) {
  auto source =
      KernelSource::parse(kernel_text(trial), Dialect::metal, "trial.metal");
  if (!source) throw std::runtime_error(source.error().message);
  DeviceLimits limits;
  limits.max_threads = kMaxThreads;
  Shape shape;
  shape.name = "trial";
  shape.values["N"] = trial.size;
  shape.scalars["scale"] = 0.5F;
  auto plan = resolve(*source, signature(), shape, limits);
  if (!plan) throw std::runtime_error(plan.error().message);
  return {std::move(*source), std::move(*plan)};
}

// A tensor with guard bands around it.
struct Memory {
  std::vector<std::byte> bytes;
  TensorLayout layout;
  std::byte* data() { return bytes.data() + layout.offset_bytes + alignment(); }
  // vectors of bytes lie anywhere.
  std::ptrdiff_t alignment() const {
    return (64 - static_cast<std::ptrdiff_t>(
                     std::bit_cast<uintptr_t>(bytes.data()) % 64)) %
           64;
  }
};

Memory make_memory(const std::string& name, DType type, int size) {
  constexpr int64_t kBand = 256;
  Memory memory;
  memory.layout.name = name;
  memory.layout.type = type;
  memory.layout.shape = {size};
  memory.layout.strides = {1};
  memory.layout.offset_bytes = kBand;
  memory.layout.allocation_bytes = 2 * kBand + size * size_of(type);
  memory.bytes.assign(
      static_cast<std::size_t>(memory.layout.allocation_bytes) + 64,
      std::byte{0xff});
  return memory;
}

}  // namespace

float trial_input(int i) { return static_cast<float>(i % 7) - 2.5F; }

int trial_body_line(const Trial& trial) {
  const std::string text = kernel_text(trial);
  const std::size_t at = text.find("KERNEL(probe) {\n");
  return 2 + static_cast<int>(std::count(
                 text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at),
                 '\n'));
}

CompileReply compile_trial(const Trial& trial) {
  const Ready prepared = ready(trial);
  return compiler(trial.version)
      .compile(prepared.source, signature(), unit_of(prepared.plan));
}

std::string TrialResult::verdict() const {
  if (compiled.status != CompileReply::Status::ok) {
    return "does not compile: " + compiled.diagnostics;
  }
  if (findings.empty()) return "clean";
  return std::string(to_string(findings.front().kind));
}

TrialResult run_trial(const Trial& trial) {
  const Ready prepared = ready(trial);
  TrialResult result;
  result.compiled =
      compiler(trial.version)
          .compile(prepared.source, signature(), unit_of(prepared.plan));
  if (result.compiled.status != CompileReply::Status::ok) return result;
  SessionOptions options;
  options.num_threads = 2;
  options.watched_accesses = trial.watched_accesses;
  options.watch = trial.watch;
  HostSession session(options);
  const auto program = session.load(result.compiled.artifact);
  if (!program) throw std::runtime_error(program.error().message);
  const ProblemSignature known = signature();
  std::vector<Memory> memories;
  for (const TensorDeclaration& tensor : known.tensors) {
    memories.push_back(make_memory(tensor.name, tensor.type, trial.size));
  }
  if (!prepared.plan.scratch.empty()) {
    memories.push_back(make_memory("s", DType::float32, trial.size));
  }
  for (int i = 0; i < trial.size; ++i) {
    const float value = trial_input(i);
    const auto upper =
        static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
    const uint16_t one_and_a_half = 0x3e00;  // as float16
    std::memcpy(memories[0].data() + i * 4, &value, 4);
    std::memcpy(memories[1].data() + i * 2, &upper, 2);
    std::memcpy(memories[2].data() + i * 2, &upper, 2);
    std::memcpy(memories[3].data() + i * 4, &i, 4);
    std::memcpy(memories[4].data() + i * 2, &one_and_a_half, 2);
  }
  std::vector<BoundTensor> tensors;
  for (Memory& memory : memories) {
    tensors.push_back({memory.data(), memory.layout, {}});
  }
  const auto call = session.prepare(*program, prepared.plan, tensors);
  if (!call) throw std::runtime_error(call.error().message);
  const auto ran = session.run({{*call}});
  if (!ran) throw std::runtime_error(ran.error().message);
  result.findings = session.findings();
  result.watched = session.watched_threadgroups();
  result.output.resize(static_cast<std::size_t>(trial.size));
  std::memcpy(result.output.data(), memories[5].data(),
              result.output.size() * 4);
  return result;
}

}  // namespace evoke::testing
