#include "evoke/devices/cpu/compiler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "evoke/base/clock.h"
#include "evoke/base/fd.h"
#include "evoke/base/hash.h"
#include "evoke/devices/cpu/assemble.h"
#include "evoke/devices/cpu/assembly_check.h"
#include "evoke/devices/cpu/cpu_features.h"
#include "evoke/devices/cpu/limited_process.h"
#include "evoke/devices/cpu/object_check.h"
#include "evoke/devices/cpu/prelude_text.h"
#include "evoke/devices/diagnostics.h"

namespace evoke::cpu {
namespace {

namespace fs = std::filesystem;

// Part of every compile key: raise it when assembling or checking changes.
constexpr int kPipelineVersion = 1;
constexpr int64_t kPreludeTimeLimitMs = 60'000;
constexpr const char* kPreludeHeader = "evoke/devices/cpu/prelude.h";
constexpr const char* kAbiHeader = "evoke/devices/cpu/kernel_abi.h";

Result<void> write_text(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) return failed("cannot write " + path.string());
  return {};
}

// Removes a folder when it goes out of scope.
class FolderGuard {
 public:
  explicit FolderGuard(fs::path folder) : folder_(std::move(folder)) {}
  FolderGuard(const FolderGuard&) = delete;
  FolderGuard& operator=(const FolderGuard&) = delete;
  ~FolderGuard() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

 private:
  fs::path folder_;
};

Result<std::string> make_own_folder() {
  std::error_code ignored;
  const fs::path base = fs::temp_directory_path(ignored);
  std::string name = (base / "evoke-cpu-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    return failed("cannot make a folder under " + base.string() + ": " +
                  std::strerror(errno));
  }
  return name;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* const data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

CompileReply reply_with(CompileReply::Status status, std::string text) {
  CompileReply reply;
  reply.status = status;
  reply.diagnostics = std::move(text);
  return reply;
}

}  // namespace

// One run of the compiler's program.
struct CpuCompiler::Step {
  CompileReply::Status status = CompileReply::Status::ok;
  std::string output;
};

Result<std::unique_ptr<CpuCompiler>> CpuCompiler::open(
    const CompilerOptions& options) {
  auto toolchain = find_toolchain(program_path());
  if (!toolchain) return error_of(toolchain);
  CompilerOptions chosen = options;
  if (chosen.folder.empty()) {
    auto folder = make_own_folder();
    if (!folder) return error_of(folder);
    chosen.folder = *folder;
  }
  std::error_code error;
  fs::create_directories(chosen.folder, error);
  if (error) {
    return failed("cannot make the compiler's folder " + chosen.folder + ": " +
                  error.message());
  }
  chosen.folder = fs::absolute(chosen.folder, error).string();
  std::unique_ptr<CpuCompiler> compiler(
      new CpuCompiler(std::move(*toolchain), std::move(chosen)));
  compiler->owns_folder_ = options.folder.empty();
  return compiler;
}

CpuCompiler::CpuCompiler(Toolchain toolchain, CompilerOptions options)
    : toolchain_(std::move(toolchain)), options_(std::move(options)) {
  toolchain_.compile_flags.insert(toolchain_.compile_flags.end(),
                                  options_.extra_flags.begin(),
                                  options_.extra_flags.end());
  prelude_hash_ =
      hash_hex(std::string(kPreludeText) + std::string(kKernelAbiText));
}

CpuCompiler::~CpuCompiler() {
  if (!owns_folder_) return;
  std::error_code ignored;
  fs::remove_all(options_.folder, ignored);
}

std::string CpuCompiler::id() const {
  return fmt::format("cpu {}; {}; {}; {}; prelude {}; {}; {}", kPipelineVersion,
                     toolchain_.version, joined(toolchain_.compile_flags),
                     joined(toolchain_.link_flags), prelude_hash_, cpu_name(),
                     joined(cpu_features()));
}

std::string CpuCompiler::prelude_folder() const {
  return options_.folder + "/prelude-" + hash_hex(id()).substr(0, 16);
}

Result<void> CpuCompiler::ensure_prelude() {
  const std::lock_guard lock(prelude_mutex_);
  if (prelude_ready_) return {};
  const std::string folder = prelude_folder();
  std::error_code ignored;
  if (!fs::exists(folder, ignored)) {
    const std::string draft =
        fmt::format("{}.{}.draft", folder, static_cast<long>(::getpid()));
    const FolderGuard guard(draft);
    if (const auto made = make_prelude(draft); !made) return made;
    fs::rename(draft, folder, ignored);
    // Another process may have been first; its folder serves as well.
    if (!fs::exists(folder)) return failed("cannot make " + folder);
  }
  prelude_ready_ = true;
  return {};
}

// Writes the headers, and the precompiled form beside them. Without the
// latter everything works, a quarter of a second slower per kernel.
Result<void> CpuCompiler::make_prelude(const std::string& folder) {
  std::error_code error;
  const fs::path header = fs::path(folder) / kPreludeHeader;
  fs::create_directories(header.parent_path(), error);
  if (error) return failed("cannot make " + folder + ": " + error.message());
  if (const auto written = write_text(header, kPreludeText); !written) {
    return written;
  }
  if (const auto written =
          write_text(fs::path(folder) / kAbiHeader, kKernelAbiText);
      !written) {
    return written;
  }
  std::vector<std::string> arguments{toolchain_.program};
  arguments.insert(arguments.end(), toolchain_.compile_flags.begin(),
                   toolchain_.compile_flags.end());
  arguments.insert(arguments.end(),
                   {"-I.", "-x", "c++-header", kPreludeHeader, "-o",
                    std::string(kPreludeHeader) + ".gch"});
  const Step step = run_step(arguments, folder, kPreludeTimeLimitMs);
  if (step.status != CompileReply::Status::ok) {
    fs::remove(header.string() + ".gch", error);
  }
  return {};
}

CpuCompiler::Step CpuCompiler::run_step(
    const std::vector<std::string>& arguments, const std::string& folder,
    int64_t time_limit_ms) const {
  using Status = CompileReply::Status;
  SubprocessOptions options;
  options.arguments = arguments;
  options.environment = {"PATH=" + program_path(), "TMPDIR=" + folder,
                         "LC_ALL=C"};
  options.working_folder = folder;
  ProcessLimits limits;
  limits.time_ms = std::max<int64_t>(time_limit_ms, 1);
  limits.memory_bytes = options_.memory_limit_bytes;
  limits.watched_folder = folder;
  const auto reply = run_limited(options, limits);
  if (!reply) return {Status::unavailable, reply.error().message};
  if (!reply->limit.empty()) {
    return {Status::timed_out,
            "the compiler was stopped after " + reply->limit};
  }
  // The driver reports the end of its own children in words.
  if (reply->status.signal != 0 ||
      reply->output.find("signal terminated program") != std::string::npos) {
    return {Status::unavailable,
            "the compiler was killed; is the machine out of memory?"};
  }
  if (!reply->status.ok()) {
    return {Status::failed, clean_diagnostics(reply->output)};
  }
  return {Status::ok, clean_diagnostics(reply->output)};
}

CompileReply CpuCompiler::compile(const KernelSource& kernel,
                                  const ProblemSignature& signature,
                                  const CompileUnit& unit) {
  using Status = CompileReply::Status;
  const double start_ms = monotonic_ms();
  const auto timed = [&](CompileReply reply) {
    reply.elapsed_ms = monotonic_ms() - start_ms;
    return reply;
  };
  if (const auto allowed = check_forbidden_text(kernel); !allowed) {
    return timed(reply_with(Status::rejected, allowed.error().message));
  }
  const auto source = assemble(kernel, signature, unit);
  if (!source) {
    return timed(reply_with(Status::failed, source.error().message));
  }
  if (const auto ready = ensure_prelude(); !ready) {
    return timed(reply_with(Status::unavailable, ready.error().message));
  }
  const std::string folder =
      fmt::format("{}/unit-{}-{}", options_.folder,
                  static_cast<long>(::getpid()), next_unit_.fetch_add(1));
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return timed(reply_with(Status::unavailable,
                            "cannot make " + folder + ": " + error.message()));
  }
  const FolderGuard guard(folder);
  return timed(compile_in(folder, kernel, *source));
}

CpuCompiler::Step CpuCompiler::link(const std::string& folder,
                                    bool with_symbols,
                                    int64_t time_limit_ms) const {
  std::vector<std::string> arguments{toolchain_.program};
  arguments.insert(arguments.end(), toolchain_.link_flags.begin(),
                   toolchain_.link_flags.end());
  if (!with_symbols) arguments.emplace_back("-Wl,-s");
  // libgcc: what the processor lacks, say 128-bit division.
  arguments.insert(arguments.end(), {"unit.s", "-o", "unit.so", "-lgcc"});
  return run_step(arguments, folder, time_limit_ms);
}

CompileReply CpuCompiler::compile_in(const std::string& folder,
                                     const KernelSource& kernel,
                                     const std::string& source) {
  using Status = CompileReply::Status;
  const double start_ms = monotonic_ms();
  const auto left_ms = [&] {
    return options_.time_limit_ms -
           static_cast<int64_t>(monotonic_ms() - start_ms);
  };
  const auto rejected = [&](const Error& error) {
    return reply_with(Status::rejected, kernel.path() + ": " + error.message);
  };
  if (const auto written = write_text(fs::path(folder) / "unit.cpp", source);
      !written) {
    return reply_with(Status::unavailable, written.error().message);
  }

  std::vector<std::string> compile{toolchain_.program};
  compile.insert(compile.end(), toolchain_.compile_flags.begin(),
                 toolchain_.compile_flags.end());
  compile.insert(compile.end(),
                 {"-I" + prelude_folder(), "-include", kPreludeHeader, "-S",
                  "unit.cpp", "-o", "unit.s"});
  const Step compiled = run_step(compile, folder, left_ms());
  if (compiled.status != Status::ok) {
    return reply_with(compiled.status, compiled.output);
  }
  const auto assembly = read_file(folder + "/unit.s");
  if (!assembly) {
    return reply_with(Status::unavailable, assembly.error().message);
  }
  const auto instructions = check_assembly(*assembly);
  if (!instructions) return rejected(instructions.error());

  const Step linked = link(folder, /*with_symbols=*/false, left_ms());
  if (linked.status != Status::ok) {
    return reply_with(linked.status, linked.output);
  }
  const auto object = read_file(folder + "/unit.so");
  if (!object) return reply_with(Status::unavailable, object.error().message);
  CompileReply reply;
  reply.artifact = bytes_of(*object);
  const auto facts = check_object(reply.artifact);
  if (!facts) {
    // Once more with names, for a message that says which variable it is.
    const Step named = link(folder, /*with_symbols=*/true, left_ms());
    const auto again = read_file(folder + "/unit.so");
    if (named.status != Status::ok || !again) return rejected(facts.error());
    const auto checked = check_object(bytes_of(*again));
    return rejected(checked ? facts.error() : checked.error());
  }

  reply.status = Status::ok;
  reply.diagnostics = compiled.output;
  reply.report["code_bytes"] = facts->code_bytes;
  reply.report["constant_bytes"] = facts->constant_bytes;
  reply.report["instructions"] = instructions->instructions;
  reply.report["isa"] = instructions->isa;
  reply.report["imports"] = facts->imports;
  return reply;
}

}  // namespace evoke::cpu
