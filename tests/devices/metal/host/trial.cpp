#include "trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <memory>
#include <regex>
#include <span>
#include <stdexcept>
#include <utility>

#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/devices/metal/host/compiler.h"
#include "evoke/devices/metal/host/executor.h"
#include "evoke/devices/metal/host/session.h"

namespace evoke::testing {
namespace {

using namespace metal::host;

// What is written is numbered where there are several trials.
std::string numbered(const std::string& stem, std::size_t index,
                     std::size_t count) {
  return count == 1 ? stem : fmt::format("{}_{}", stem, index);
}

// Outputs: one for each trial of a file, for no two launches may write one.
ProblemSignature signature(std::size_t num_trials = 1) {
  ProblemSignature result;
  result.name = "probe";
  result.tensors = {{"x", DType::float32, {"N"}, false},
                    {"y", DType::bfloat16, {"N"}, false},
                    {"z", DType::bfloat16, {"N"}, false},
                    {"n", DType::int32, {"N"}, false},
                    {"h", DType::float16, {"N"}, false}};
  for (std::size_t i = 0; i < num_trials; ++i) {
    result.tensors.push_back(
        {numbered("output", i, num_trials), DType::float32, {"N"}, true});
  }
  result.sizes = {"N"};
  result.scalars = {"scale"};
  return result;
}

bool has_scratch(const Trial& trial) {
  return trial.scratch || !trial.second_body.empty();
}

std::string plan_text(std::span<const Trial> trials) {
  const auto list = [](const std::array<int, 3>& values) {
    return fmt::format("{}", fmt::join(values, ", "));
  };
  std::string text = "/*evoke\nproblem = \"probe\"\nsummary = \"trial\"\n";
  if (std::any_of(trials.begin(), trials.end(), has_scratch)) {
    text += "[scratch]\n";
  }
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (!has_scratch(trials[i])) continue;
    text += fmt::format("{} = {{ type = \"float32\", shape = [\"N\"]{} }}\n",
                        numbered("s", i, trials.size()),
                        trials[i].zero_scratch ? ", init = \"zero\"" : "");
  }
  text += "[[variant]]\nname = \"any\"\n";
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const Trial& trial = trials[i];
    const bool two = !trial.second_body.empty();
    const std::string output = numbered("output", i, trials.size());
    const std::string scratch = numbered("s", i, trials.size());
    text += fmt::format(
        "[[variant.launch]]\nkernel = \"{}\"\nreads = [\"x\", \"y\", "
        "\"z\", \"n\", \"h\"]\n"
        "writes = [\"{}\"]\nthreadgroups = [{}]\nthreads = [{}]\n",
        numbered("probe", i, trials.size()),
        two             ? scratch
        : trial.scratch ? output + "\", \"" + scratch
                        : output,
        list(trial.threadgroups), list(trial.threads));
    if (two) {
      text += fmt::format(
          "[[variant.launch]]\nkernel = \"{}\"\nreads = [\"x\", \"{}\"]\n"
          "writes = [\"{}\"]\nthreadgroups = [{}]\nthreads = [{}]\n",
          numbered("second", i, trials.size()), scratch, output,
          list(trial.threadgroups), list(trial.threads));
    }
  }
  return text + "evoke*/\n";
}

std::string with_numbers(const std::string& body, std::size_t index,
                         std::size_t count) {
  static const std::regex written("\\b(output|s)\\b");
  return count == 1
             ? body
             : std::regex_replace(body, written, fmt::format("$1_{}", index));
}
std::string without_numbers(const std::string& message, std::size_t index) {
  return std::regex_replace(
      message, std::regex(fmt::format("\\b(output|s)_{}\\b", index)), "$1");
}

std::string kernel_text(std::span<const Trial> trials) {
  std::string text = plan_text(trials);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const Trial& trial = trials[i];
    text +=
        trial.helpers +
        fmt::format("\nKERNEL({}) {{\n", numbered("probe", i, trials.size())) +
        with_numbers(trial.body, i, trials.size()) + "\n}\n";
    if (!trial.second_body.empty()) {
      text +=
          fmt::format("KERNEL({}) {{\n", numbered("second", i, trials.size())) +
          with_numbers(trial.second_body, i, trials.size()) + "\n}\n";
    }
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

KernelSource parse(std::span<const Trial> trials) {
  auto source =
      KernelSource::parse(kernel_text(trials), Dialect::metal, "trial.metal");
  if (!source) throw std::runtime_error(source.error().message);
  return std::move(*source);
}

// All launches of all trials, at the size of this one.
LaunchPlan plan_for(const KernelSource& source, const Trial& trial,
                    std::size_t num_trials = 1) {
  DeviceLimits limits;
  limits.max_threads = kMaxThreads;
  Shape shape;
  shape.name = "trial";
  shape.values["N"] = trial.size;
  shape.scalars["scale"] = 0.5F;
  auto plan = resolve(source, signature(num_trials), shape, limits);
  if (!plan) throw std::runtime_error(plan.error().message);
  return std::move(*plan);
}

Ready ready(const Trial& trial) {
  Ready result{parse({&trial, 1}), {}};
  result.plan = plan_for(result.source, trial);
  return result;
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

namespace {

// One session for all trials that are watched alike: its threads have stacks
// for a thousand fibers each.
HostSession& session_for(const Trial& trial) {
  static std::map<std::pair<int64_t, bool>, std::unique_ptr<HostSession>> all;
  auto& one = all[{trial.watched_accesses, trial.watch}];
  if (!one) {
    SessionOptions options;
    options.num_threads = 2;
    options.watched_accesses = trial.watched_accesses;
    options.watch = trial.watch;
    one = std::make_unique<HostSession>(options);
  }
  return *one;
}

// Runs the launches of `plan` on fresh tensors.
void run_launches(const Trial& trial, std::size_t index, std::size_t num_trials,
                  const LaunchPlan& plan, std::span<const std::byte> artifact,
                  TrialResult& result) {
  HostSession& session = session_for(trial);
  const auto program = session.load(artifact);
  if (!program) throw std::runtime_error(program.error().message);
  const ProblemSignature known = signature(num_trials);
  std::vector<Memory> memories;
  for (const TensorDeclaration& tensor : known.tensors) {
    memories.push_back(make_memory(tensor.name, tensor.type, trial.size));
  }
  for (const auto& scratch : plan.scratch) {
    memories.push_back(make_memory(scratch.name, DType::float32, trial.size));
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
  const auto call = session.prepare(*program, plan, tensors);
  if (!call) throw std::runtime_error(call.error().message);
  const auto ran = session.run({{*call}});
  if (!ran) throw std::runtime_error(ran.error().message);
  result.findings = session.raw_findings();
  result.watched = session.watched_threadgroups();
  result.output.resize(static_cast<std::size_t>(trial.size));
  constexpr std::size_t kFirstOutput = 5;
  std::memcpy(result.output.data(), memories[kFirstOutput + index].data(),
              result.output.size() * 4);
  session.release(*call);
  session.unload(*program);
}

}  // namespace

float trial_input(int i) { return static_cast<float>(i % 7) - 2.5F; }

std::vector<int> trial_body_lines(const std::vector<Trial>& trials) {
  const std::string text = kernel_text(trials);
  std::vector<int> lines;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const std::size_t at = text.find(
        fmt::format("KERNEL({}) {{\n", numbered("probe", i, trials.size())));
    lines.push_back(2 +
                    static_cast<int>(std::count(
                        text.begin(),
                        text.begin() + static_cast<std::ptrdiff_t>(at), '\n')));
  }
  return lines;
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
  if (result.compiled.status == CompileReply::Status::ok) {
    run_launches(trial, 0, 1, prepared.plan, result.compiled.artifact, result);
  }
  return result;
}

std::vector<TrialResult> run_trials(const std::vector<Trial>& trials) {
  const KernelSource source = parse(trials);
  const std::size_t count = trials.size();
  const CompileReply compiled =
      compiler(trials.front().version)
          .compile(source, signature(count),
                   unit_of(plan_for(source, trials.front(), count)));
  std::vector<TrialResult> results;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    TrialResult& result = results.emplace_back();
    result.compiled = compiled;
    result.compiled.artifact.clear();
    if (compiled.status != CompileReply::Status::ok) continue;
    LaunchPlan plan = plan_for(source, trials[i], count);
    std::erase_if(plan.launches, [&](const ResolvedLaunch& launch) {
      return launch.kernel != numbered("probe", i, trials.size()) &&
             launch.kernel != numbered("second", i, trials.size());
    });
    run_launches(trials[i], i, count, plan, compiled.artifact, result);
    for (auto& each : result.findings) {
      each.message = without_numbers(each.message, i);
    }
  }
  return results;
}

}  // namespace evoke::testing
