#include "evoke/devices/cuda/compiler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/hash.h"
#include "evoke/core/launch_bounds.h"
#include "evoke/devices/cuda/assemble.h"
#include "evoke/devices/cuda/compile_log.h"
#include "evoke/devices/cuda/cubin.h"
#include "evoke/devices/cuda/prelude_text.h"
#include "evoke/devices/cuda/ptx_check.h"
#include "evoke/devices/cuda/sass.h"
#include "evoke/devices/diagnostics.h"

namespace evoke::cuda {
namespace {

namespace fs = std::filesystem;
using Status = CompileReply::Status;

// Part of every compile key: raise it when assembling or checking changes.
constexpr int kPipelineVersion = 1;
constexpr int64_t kDisassemblerLimitMs = 5000;

CompileReply reply_with(Status status, std::string text) {
  CompileReply reply;
  reply.status = status;
  reply.diagnostics = std::move(text);
  return reply;
}

// Once by name: a kernel may be launched twice.
std::set<std::string> launched_kernels(const KernelSource& kernel,
                                       const CompileUnit& unit, bool pdl) {
  std::set<std::string> names;
  for (const Launch& launch : kernel.plan().variants[unit.variant].launches) {
    if (!pdl || launch.cuda.pdl) names.insert(launch.kernel);
  }
  return names;
}

}  // namespace

CudaCompiler::CudaCompiler(std::shared_ptr<const Nvrtc> nvrtc,
                           CompilerOptions options)
    : nvrtc_(std::move(nvrtc)), options_(std::move(options)) {
  flags_ = {"--gpu-architecture=" + options_.architecture, "--std=c++20",
            "--device-as-default-execution-space", "--ptxas-options=-v",
            "--diag-suppress=177,550"};
  std::string all;
  for (const PreludeFile& file : prelude_files()) {
    all.append(file.name).append("\n").append(file.text).append("\n");
  }
  prelude_hash_ = hash_hex(all);
  if (!options_.folder.empty()) {
    disassembler_ = find_disassembler(nvrtc_->path);
  }
}

std::string CudaCompiler::id() const {
  return fmt::format(
      "cuda {}; NVRTC {}.{}; {}; prelude {}; {}", kPipelineVersion,
      nvrtc_->major, nvrtc_->minor, fmt::join(flags_, " "), prelude_hash_,
      disassembler_.empty() ? "no disassembler" : "with disassembler");
}

CompileReply CudaCompiler::compile(const KernelSource& kernel,
                                   const ProblemSignature& signature,
                                   const CompileUnit& unit) {
  const double start_ms = monotonic_ms();
  const auto timed = [&](CompileReply reply) {
    reply.elapsed_ms = monotonic_ms() - start_ms;
    return reply;
  };
  if (kernel.dialect() != Dialect::cuda) {
    return timed(
        reply_with(Status::rejected,
                   fmt::format("{}: a kernel of the {} dialect, not of cuda",
                               kernel.path(), to_string(kernel.dialect()))));
  }
  if (const auto allowed = check_forbidden_text(kernel); !allowed) {
    return timed(reply_with(Status::rejected, allowed.error().message));
  }
  auto source = assemble(kernel, signature, unit);
  if (!source) {
    return timed(reply_with(Status::failed, source.error().message));
  }
  return timed(compile_source(kernel, unit, std::move(*source)));
}

CompileReply CudaCompiler::compile_source(const KernelSource& kernel,
                                          const CompileUnit& unit,
                                          std::string source) {
  NvrtcRequest request;
  request.source = std::move(source);
  request.name = fs::path(kernel.path()).filename().string();
  request.options = flags_;
  if (!nvrtc_->include_folder.empty()) {
    request.options.push_back("--include-path=" + nvrtc_->include_folder);
    // cuda::std, which cooperative_groups.h and cuda_bf16.h may want.
    request.options.push_back("--include-path=" + nvrtc_->include_folder +
                              "/cccl");
  }
  for (const PreludeFile& file : prelude_files()) {
    request.headers.push_back({file.name, file.text});
  }
  auto compiled = compile_apart(*nvrtc_, request, options_.process);
  if (!compiled) {
    return reply_with(compiled.error().kind == ErrorKind::timed_out
                          ? Status::timed_out
                          : Status::failed,
                      compiled.error().message);
  }
  if (compiled->status == kNvrtcCompilation) {
    return reply_with(
        Status::failed,
        clean_diagnostics(read_compile_log(compiled->log).diagnostics));
  }
  if (compiled->status != 0) {
    return reply_with(
        Status::unavailable,
        fmt::format("NVRTC {}.{} fails with code {}: {}", nvrtc_->major,
                    nvrtc_->minor, compiled->status,
                    clean_diagnostics(compiled->log)));
  }
  return judge(kernel, unit, std::move(*compiled));
}

CompileReply CudaCompiler::judge(const KernelSource& kernel,
                                 const CompileUnit& unit, NvrtcReply compiled) {
  const CompileLog log = read_compile_log(compiled.log);
  if (!log.fatal_warnings.empty()) {
    return reply_with(Status::failed,
                      clean_diagnostics(log.fatal_warnings + log.diagnostics));
  }
  const auto rejected = [&](const Error& error) {
    return reply_with(Status::rejected, kernel.path() + ": " + error.message);
  };
  std::set<std::string> waiting;
  for (const std::string& name : launched_kernels(kernel, unit, true)) {
    waiting.insert(entry_point(name));
  }
  if (const auto checked = check_ptx(compiled.ptx, waiting); !checked) {
    return rejected(checked.error());
  }
  const auto facts = read_cubin(compiled.cubin);
  if (!facts) return rejected(facts.error());

  CompileReply reply;
  reply.status = Status::ok;
  reply.diagnostics = clean_diagnostics(log.diagnostics);
  reply.report["architecture"] = options_.architecture;
  reply.report["nvrtc"] = fmt::format("{}.{}", nvrtc_->major, nvrtc_->minor);
  reply.report["constant_bytes"] = facts->constant_bytes;
  reply.report["code_hash"] = facts->code_hash;
  int64_t code_bytes = 0;
  for (const CubinKernel& each : facts->kernels) code_bytes += each.code_bytes;
  reply.report["code_bytes"] = code_bytes;
  if (const auto added =
          add_report(kernel, unit, compiled, log, *facts, reply.report);
      !added) {
    return reply_with(Status::failed, added.error().message);
  }
  reply.artifact = std::move(compiled.cubin);
  return reply;
}

// Per kernel; an error when a kernel cannot be launched at all.
Result<void> CudaCompiler::add_report(const KernelSource& kernel,
                                      const CompileUnit& unit,
                                      const NvrtcReply& compiled,
                                      const CompileLog& log,
                                      const CubinFacts& facts, Json& report) {
  std::map<std::string, SassFacts> sass;
  if (!disassembler_.empty()) {
    const std::string path = fmt::format("{}/unit-{}.cubin", options_.folder,
                                         static_cast<long>(::getpid()));
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(compiled.cubin.data()),
               static_cast<std::streamsize>(compiled.cubin.size()));
    file.close();
    // A report without an instruction mix is still a report.
    if (auto text = disassemble(disassembler_, path, kDisassemblerLimitMs)) {
      sass = read_sass(*text);
    }
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  Json kernels = Json::object();
  for (const std::string& name : launched_kernels(kernel, unit, false)) {
    const std::string entry = entry_point(name);
    const auto is_it = [&](const CubinKernel& each) {
      return each.name == entry;
    };
    const auto found =
        std::find_if(facts.kernels.begin(), facts.kernels.end(), is_it);
    if (found == facts.kernels.end()) {
      return failed(fmt::format("{}: the compiled code has no kernel '{}'",
                                kernel.path(), name));
    }
    Json each = {{"registers", found->registers},
                 {"code_bytes", found->code_bytes}};
    int64_t shared_bytes = found->shared_bytes;
    if (const auto noted = log.kernels.find(entry);
        noted != log.kernels.end()) {
      each["local_bytes"] = noted->second.stack_bytes;
      each["spill_store_bytes"] = noted->second.spill_store_bytes;
      each["spill_load_bytes"] = noted->second.spill_load_bytes;
      each["barriers"] = noted->second.barriers;
      shared_bytes = noted->second.shared_bytes;
    }
    each["static_shared_bytes"] = shared_bytes;
    const auto bounds = launch_bounds(kernel, unit, name);
    const auto dynamic =
        known_dynamic_memory(kernel, unit, name, options_.limits);
    if (dynamic) each["dynamic_shared_bytes"] = *dynamic;
    const int64_t memory = shared_bytes + dynamic.value_or(0);
    if (memory > options_.limits.max_threadgroup_memory) {
      return failed(fmt::format(
          "{}: kernel '{}' needs {} bytes of threadgroup memory ({} of its own "
          "and {} of dynamic_memory); the device has {}",
          kernel.path(), name, memory, shared_bytes, dynamic.value_or(0),
          options_.limits.max_threadgroup_memory));
    }
    if (bounds && bounds->max_threads > 0) {
      const Occupancy occupancy = occupancy_of(
          found->registers, bounds->max_threads, memory, options_.sm);
      each["threads"] = bounds->max_threads;
      each["threadgroups_per_sm"] = occupancy.threadgroups;
      each["occupancy"] = occupancy.fraction;
      each["limited_by"] = occupancy.limited_by;
    }
    if (const auto mix = sass.find(entry); mix != sass.end()) {
      if (mix->second.tells_time) {
        return failed(
            fmt::format("{}: kernel '{}' reads a clock; kernels may "
                        "not tell the time",
                        kernel.path(), name));
      }
      each["instructions"] = mix->second.mix;
    }
    kernels[name] = std::move(each);
  }
  report["kernels"] = std::move(kernels);
  return {};
}

}  // namespace evoke::cuda
