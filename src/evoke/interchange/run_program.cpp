#include "evoke/interchange/run_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "evoke/base/atomic_file.h"
#include "evoke/base/clock.h"
#include "evoke/base/fd.h"
#include "evoke/base/subprocess.h"
#include "evoke/interchange/record_text.h"

namespace evoke {
namespace {

constexpr int64_t kSliceMs = 50;
constexpr int64_t kMaxRecordBytes = 64 << 20;

// A folder that goes with everything in it.
class PrivateFolder {
 public:
  PrivateFolder() {
    std::error_code error;
    std::string name =
        (std::filesystem::temp_directory_path(error) / "evoke-import-XXXXXX")
            .string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~PrivateFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  bool valid() const { return !path_.empty(); }
  const std::string& path() const { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The last line of a traceback says most.
std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

Json request_of(const std::vector<Symbols>& samples,
                const std::string& function) {
  Json list = Json::array();
  for (const Symbols& sample : samples) {
    Json entry = Json::object();
    for (const auto& [name, value] : sample) entry[name] = value;
    list.push_back(std::move(entry));
  }
  return {{"function", function.empty() ? Json(nullptr) : Json(function)},
          {"samples", std::move(list)}};
}

SubprocessOptions command(const PrivateFolder& folder,
                          const RunProgramOptions& options) {
  // The interpreter's environment may be a link into another folder.
  std::error_code ignored;
  const std::filesystem::path environment =
      std::filesystem::path(options.python).parent_path().parent_path();
  const std::string real =
      std::filesystem::canonical(environment, ignored).string();
  SubprocessOptions child;
  child.arguments = {options.runner,
                     "--role",
                     "compile",
                     "--private-folder",
                     folder.path(),
                     "--cpu-seconds",
                     std::to_string(options.time_ms / 1000 + 1),
                     "--readable",
                     environment.string()};
  if (!real.empty() && real != environment) {
    child.arguments.insert(child.arguments.end(), {"--readable", real});
  }
  child.arguments.insert(
      child.arguments.end(),
      {"--exec", options.python, "--", "-I", "-B",
       folder.file("record_program.py"), folder.file("program.py"),
       folder.file("request.json"), folder.file("record.json")});
  child.environment = {"HOME=" + folder.path(), "TMPDIR=" + folder.path(),
                       "PATH=/usr/bin:/bin", "OMP_NUM_THREADS=1"};
  child.working_folder = folder.path();
  return child;
}

// Empty when it ended by itself and well.
std::string watch(Subprocess& process, const RunProgramOptions& options) {
  const int64_t start_ns = monotonic_ns();
  for (;;) {
    if (const auto status = process.wait(kSliceMs)) {
      if (status->ok()) return {};
      return status->signal != 0
                 ? fmt::format("the interpreter ended with signal {}",
                               status->signal)
                 : "the interpreter failed: " + last_line(process.output());
    }
    if ((monotonic_ns() - start_ns) / 1'000'000 > options.time_ms) {
      process.kill();
      return fmt::format("ran longer than {} s", options.time_ms / 1000);
    }
    if (process.resident_bytes() > options.memory_bytes) {
      process.kill();
      return fmt::format("took more than {} MB of memory",
                         options.memory_bytes >> 20);
    }
  }
}

}  // namespace

std::string default_python() {
  const char* chosen = std::getenv("EVOKE_PYTHON");
  return chosen != nullptr && *chosen != '\0' ? chosen : EVOKE_PYTHON_PATH;
}

Result<ProgramRecord> run_program(const std::string& text,
                                  const std::vector<Symbols>& samples,
                                  const RunProgramOptions& options) {
  if (!std::filesystem::exists(options.python)) {
    return absent(options.python +
                  ": no such interpreter; ./evoke makes it, or set "
                  "EVOKE_PYTHON to one that has MLX");
  }
  const PrivateFolder folder;
  if (!folder.valid()) return failed("cannot make a temporary folder");
  const std::pair<const char*, std::string> files[] = {
      {"program.py", text},
      {"record_program.py", std::string(kRecordProgram)},
      {"request.json", request_of(samples, options.function).dump()}};
  for (const auto& [name, content] : files) {
    const auto written = write_file_atomically(folder.file(name), content);
    if (!written) return error_of(written);
  }
  auto process = Subprocess::start(command(folder, options));
  if (!process) return error_of(process);
  const std::string ended = watch(*process, options);
  if (!ended.empty()) return failed(ended);
  std::error_code error;
  const auto size =
      std::filesystem::file_size(folder.file("record.json"), error);
  if (error || static_cast<int64_t>(size) > kMaxRecordBytes) {
    return failed("the program left no record, or one that is too large");
  }
  const auto record = read_file(folder.file("record.json"));
  if (!record) return error_of(record);
  // Infinities, which Python writes, are no JSON.
  const Json parsed = Json::parse(*record, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return failed("the record is no JSON");
  return parse_program_record(parsed);
}

}  // namespace evoke
