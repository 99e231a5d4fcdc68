#include "evoke/devices/metal/host/compiler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <system_error>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/fd.h"
#include "evoke/base/hash.h"
#include "evoke/devices/cpu/cpu_features.h"
#include "evoke/devices/cpu/limited_process.h"
#include "evoke/devices/cpu/toolchain.h"
#include "evoke/devices/metal/assemble.h"
#include "evoke/devices/metal/host/artifact.h"
#include "evoke/devices/metal/host/gate_messages.h"
#include "evoke/devices/metal/host/kernel_object.h"
#include "evoke/devices/metal/host/shim_text.h"
#include "evoke/devices/metal/host/unit_text.h"

namespace evoke::metal::host {
namespace {

namespace fs = std::filesystem;

// Part of every compile key: raise it when assembling or checking changes.
constexpr int kPipelineVersion = 1;
// Our own text, made once: on a machine that does much else, too.
constexpr int64_t kShimTimeLimitMs = 60'000;
constexpr std::string_view kRoot = "evoke/devices/";
constexpr std::array<Reading, 3> kReadings{Reading::run, Reading::checked,
                                           Reading::address_spaces};

std::string_view name_of(Reading reading) {
  switch (reading) {
    case Reading::address_spaces:
      return "address_spaces";
    case Reading::run:
      return "run";
    case Reading::checked:
      return "checked";
  }
  return "";
}

std::string header_of(Reading reading) {
  return std::string(kRoot) + (reading == Reading::address_spaces
                                   ? "metal/host/shim/address_spaces.h"
                                   : "metal/host/shim/prelude.h");
}

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
  std::string name = (base / "evoke-metal-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    return failed("cannot make a folder under " + base.string() + ": " +
                  std::strerror(errno));
  }
  return name;
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

std::string file_name(const KernelSource& kernel) {
  return fs::path(kernel.path()).filename().string();
}

}  // namespace

// One run of clang.
struct HostCompiler::Step {
  CompileReply::Status status = CompileReply::Status::ok;
  std::string output;
};

Result<std::unique_ptr<HostCompiler>> HostCompiler::open(
    const CompilerOptions& options) {
  auto toolchain = find_toolchain();
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
  std::unique_ptr<HostCompiler> compiler(
      new HostCompiler(std::move(*toolchain), std::move(chosen)));
  compiler->owns_folder_ = options.folder.empty();
  return compiler;
}

HostCompiler::HostCompiler(Toolchain toolchain, CompilerOptions options)
    : toolchain_(std::move(toolchain)), options_(std::move(options)) {
  std::string all;
  for (const ShimFile& file : shim_files()) {
    all += file.path;
    all += file.text;
  }
  shim_hash_ = hash_hex(all);
}

HostCompiler::~HostCompiler() {
  if (!owns_folder_) return;
  std::error_code ignored;
  fs::remove_all(options_.folder, ignored);
}

std::string HostCompiler::id() const {
  std::string flags;
  for (const Reading reading : kReadings) {
    flags += fmt::format("; {}", fmt::join(compile_flags(reading), " "));
  }
  return fmt::format("metal on host {}; Metal {}; {}{}; shim {}; {}; {}",
                     kPipelineVersion, to_string(options_.version),
                     toolchain_.version, flags, shim_hash_, cpu::cpu_name(),
                     fmt::join(cpu::cpu_features(), " "));
}

std::string HostCompiler::shim_folder() const {
  return options_.folder + "/shim-" + hash_hex(id()).substr(0, 16);
}

Result<void> HostCompiler::ensure_shim() {
  const std::lock_guard lock(shim_mutex_);
  if (shim_ready_) return {};
  const std::string folder = shim_folder();
  std::error_code ignored;
  if (!fs::exists(folder, ignored)) {
    const std::string draft =
        fmt::format("{}.{}.draft", folder, static_cast<long>(::getpid()));
    const FolderGuard guard(draft);
    if (const auto made = write_shim(draft); !made) return made;
    fs::rename(draft, folder, ignored);
    // Another process may have been first; its folder serves as well.
    if (!fs::exists(folder)) return failed("cannot make " + folder);
  }
  // Precompiled headers know the place of their files, so these come last.
  std::array<std::future<Result<void>>, kReadings.size()> making;
  for (std::size_t i = 0; i < kReadings.size(); ++i) {
    making[i] = std::async(std::launch::async, [&, reading = kReadings[i]] {
      return precompile(reading, folder);
    });
  }
  Result<void> made;
  for (auto& each : making) {
    if (auto one = each.get(); !one) made = std::move(one);
  }
  shim_ready_ = made.has_value();
  return made;
}

Result<void> HostCompiler::write_shim(const std::string& folder) {
  std::error_code error;
  for (const ShimFile& file : shim_files()) {
    const fs::path path = fs::path(folder) / kRoot / file.path;
    fs::create_directories(path.parent_path(), error);
    if (error) return failed("cannot make " + folder + ": " + error.message());
    if (const auto written = write_text(path, file.text); !written) {
      return written;
    }
  }
  return {};
}

Result<void> HostCompiler::precompile(Reading reading,
                                      const std::string& folder) const {
  const std::string made = fmt::format("{}/{}.pch", folder, name_of(reading));
  std::error_code ignored;
  if (fs::exists(made, ignored)) return {};
  const std::string draft =
      fmt::format("{}.{}", made, static_cast<long>(::getpid()));
  std::vector<std::string> arguments{toolchain_.program};
  const auto flags = compile_flags(reading);
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.insert(arguments.end(),
                   {"-I" + folder, "-x", "c++-header",
                    folder + "/" + header_of(reading), "-o", draft});
  const Step step = run_step(arguments, folder, kShimTimeLimitMs);
  if (step.status != CompileReply::Status::ok) {
    return failed("the shim does not compile: " + step.output);
  }
  fs::rename(draft, made, ignored);
  if (!fs::exists(made, ignored)) return failed("cannot make " + made);
  return {};
}

HostCompiler::Step HostCompiler::run_step(
    const std::vector<std::string>& arguments, const std::string& folder,
    int64_t time_limit_ms) const {
  using Status = CompileReply::Status;
  SubprocessOptions options;
  options.arguments = arguments;
  options.environment = {"PATH=" + cpu::program_path(), "TMPDIR=" + folder,
                         "LC_ALL=C"};
  options.working_folder = folder;
  cpu::ProcessLimits limits;
  limits.time_ms = time_limit_ms;
  limits.memory_bytes = options_.memory_limit_bytes;
  limits.watched_folder = folder;
  const auto reply = cpu::run_limited(options, limits);
  if (!reply) return {Status::unavailable, reply.error().message};
  if (!reply->limit.empty()) {
    return {Status::timed_out,
            "the compiler was stopped after " + reply->limit};
  }
  if (reply->status.signal != 0) {
    return {Status::unavailable,
            "the compiler was killed; is the machine out of memory?"};
  }
  // Of no file: clang's own trouble, not the kernel's.
  if (reply->output.starts_with("fatal error:")) {
    return {Status::unavailable, reply->output};
  }
  return {reply->status.ok() ? Status::ok : Status::failed, reply->output};
}

HostCompiler::Step HostCompiler::read_unit(Reading reading,
                                           const std::string& folder) const {
  std::vector<std::string> arguments{toolchain_.program};
  const auto add = [&](const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  add(compile_flags(reading));
  add({"-include-pch",
       fmt::format("{}/{}.pch", shim_folder(), name_of(reading))});
  if (reading == Reading::address_spaces) {
    add({"-fsyntax-only", "unit.cpp"});
  } else {
    add({"unit.cpp", "-o", fmt::format("{}.so", name_of(reading)), "-lgcc"});
    add(link_flags(reading));
  }
  return run_step(arguments, folder, options_.time_limit_ms);
}

HostCompiler::Step HostCompiler::dump_unit(const std::string& folder) const {
  std::vector<std::string> arguments{toolchain_.program};
  const auto flags = compile_flags(Reading::address_spaces);
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.insert(
      arguments.end(),
      {"-include-pch",
       fmt::format("{}/{}.pch", shim_folder(),
                   name_of(Reading::address_spaces)),
       "-fsyntax-only", "-w", "-Xclang", "-ast-dump", "-Xclang",
       std::string("-ast-dump-filter=") + kKernelNamespace, "unit.cpp"});
  return run_step(arguments, folder, options_.time_limit_ms);
}

CompileReply HostCompiler::compile(const KernelSource& kernel,
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
  if (const auto ready = ensure_shim(); !ready) {
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
  return timed(compile_in(folder, kernel, signature, unit));
}

CompileReply HostCompiler::compile_in(const std::string& folder,
                                      const KernelSource& kernel,
                                      const ProblemSignature& signature,
                                      const CompileUnit& unit) {
  using Status = CompileReply::Status;
  const auto assembly = assemble(kernel, signature, unit);
  if (!assembly) return reply_with(Status::failed, assembly.error().message);
  const std::string path = file_name(kernel);
  std::vector<GateMessage> messages;
  for (const AssembledKernel& each : assembly->kernels) {
    for (Lint& found :
         lint(each.source.text, each.source.body_offset, options_.version)) {
      messages.push_back({found.line, true, std::move(found.message)});
    }
  }
  if (const auto written =
          write_text(fs::path(folder) / "unit.cpp", unit_text(*assembly));
      !written) {
    return reply_with(Status::unavailable, written.error().message);
  }

  std::array<std::future<Step>, kReadings.size()> running;
  for (std::size_t i = 0; i < kReadings.size(); ++i) {
    running[i] = std::async(std::launch::async, [&, reading = kReadings[i]] {
      return read_unit(reading, folder);
    });
  }
  // Only these can make a pointer of an integer, and few kernels have them.
  const bool has_pointer_casts =
      std::any_of(assembly->kernels.begin(), assembly->kernels.end(),
                  [](const AssembledKernel& each) {
                    return casts_to_pointers(each.source.text);
                  });
  if (has_pointer_casts) {
    auto casts = integer_cast_messages(dump_unit(folder).output, kFileLabel);
    messages.insert(messages.end(), std::make_move_iterator(casts.begin()),
                    std::make_move_iterator(casts.end()));
  }
  std::array<Step, kReadings.size()> steps;
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = running[i].get();
  for (const Step& step : steps) {
    if (step.status == Status::unavailable ||
        step.status == Status::timed_out) {
      return reply_with(step.status, step.output);
    }
  }
  for (auto found : {type_messages(steps[0].output, kFileLabel),
                     address_space_messages(steps[2].output, kFileLabel)}) {
    messages.insert(messages.end(), std::make_move_iterator(found.begin()),
                    std::make_move_iterator(found.end()));
  }
  const bool wrong =
      std::any_of(messages.begin(), messages.end(),
                  [](const GateMessage& each) { return each.error; });
  const std::string text =
      to_text(std::move(messages), path, options_.max_messages);
  if (wrong || steps[0].status == Status::failed) {
    return reply_with(Status::failed, text.empty() ? steps[0].output : text);
  }
  if (steps[1].status == Status::failed) {
    return reply_with(
        Status::unavailable,
        "the checked build fails where the other does not: " + steps[1].output);
  }

  Artifact artifact;
  for (const AssembledKernel& each : assembly->kernels) {
    artifact.kernels.push_back(artifact_kernel(each));
  }
  const auto object = read_file(folder + "/run.so");
  const auto checked = read_file(folder + "/checked.so");
  if (!object || !checked) {
    return reply_with(Status::unavailable, "clang left no object behind");
  }
  artifact.object = bytes_of(*object);
  artifact.checked_object = bytes_of(*checked);
  for (const auto& each : {artifact.object, artifact.checked_object}) {
    if (const auto facts = check_kernel_object(each); !facts) {
      return reply_with(Status::rejected,
                        kernel.path() + ": " + facts.error().message);
    }
  }
  auto lines = LineTable::read(folder + "/run.so", kFileLabel);
  auto checked_lines = LineTable::read(folder + "/checked.so", kFileLabel);
  if (!lines || !checked_lines) {
    return reply_with(Status::unavailable, "clang left no line numbers behind");
  }
  artifact.lines = std::move(*lines);
  artifact.checked_lines = std::move(*checked_lines);
  CompileReply reply;
  reply.status = Status::ok;
  reply.artifact = to_bytes(artifact);
  reply.diagnostics = text;
  reply.report["metal_version"] = to_string(options_.version);
  reply.report["code_bytes"] = check_kernel_object(artifact.object)->code_bytes;
  return reply;
}

}  // namespace evoke::metal::host
