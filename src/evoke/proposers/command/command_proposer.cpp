#include "evoke/proposers/command/command_proposer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/fd.h"
#include "evoke/base/subprocess.h"
#include "evoke/base/utf8.h"

namespace evoke {
namespace {

constexpr int kAnswerFd = 4;
constexpr int kRequestFd = 3;
constexpr int64_t kPollMs = 100;

// A file without a name, that is gone with its descriptor.
Result<Fd> nameless_file() {
  std::error_code error;
  auto folder = std::filesystem::temp_directory_path(error);
  if (error) folder = "/tmp";
  std::string path = (folder / "evoke_command_XXXXXX").string();
  Fd file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file.valid()) return failed(path + ": " + std::strerror(errno));
  ::unlink(path.c_str());
  return file;
}

int64_t size_of(const Fd& file) {
  struct stat status{};
  return ::fstat(file.get(), &status) == 0
             ? static_cast<int64_t>(status.st_size)
             : 0;
}

Result<std::string> content_of(const Fd& file) {
  std::string text(static_cast<std::size_t>(size_of(file)), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::pread(file.get(), text.data() + done,
                                  text.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return failed("cannot read what the command wrote");
    done += static_cast<std::size_t>(count);
  }
  return text;
}

// The end of what it said, in one line.
std::string last_words(const std::string& output) {
  constexpr std::size_t kLongest = 600;
  const std::string tail = output.size() > kLongest
                               ? "..." + output.substr(output.size() - kLongest)
                               : output;
  return tail.empty() ? "it said nothing on standard error"
                      : one_line(tail, kLongest + 16);
}

}  // namespace

std::vector<std::string> plain_environment() {
  std::vector<std::string> environment;
  for (const char* name : {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL",
                           "LC_CTYPE", "TMPDIR", "TZ", "VIRTUAL_ENV"}) {
    if (const char* value = std::getenv(name)) {
      environment.push_back(std::string(name) + "=" + value);
    }
  }
  return environment;
}

CommandProposer::CommandProposer(CommandOptions options)
    : options_(std::move(options)) {
  if (options_.command.empty()) {
    throw UsageError(
        "--proposer command: no command; set proposers.command in the config "
        "or --proposer-command");
  }
  if (!(options_.timeout_s > 0)) {
    throw UsageError("proposers.command_timeout_s must be greater than 0");
  }
}

Result<Proposal> CommandProposer::propose(const ProposalRequest& request) {
  const std::string where = fmt::format(
      "command '{}', request {}", one_line(options_.command, 80), request.id);
  auto input = nameless_file();
  auto output = nameless_file();
  if (!input) return error_of(input);
  if (!output) return error_of(output);
  const std::string text = to_json(request, options_.facts).dump() + "\n";
  const auto written = write_all(input->get(), std::as_bytes(std::span(text)));
  if (!written) return error_of(written);
  ::lseek(input->get(), 0, SEEK_SET);

  SubprocessOptions process;
  process.arguments = {"/bin/sh", "-c",
                       "exec <&3 >&4 3<&- 4>&-\n" + options_.command};
  process.environment = options_.environment;
  process.working_folder = options_.folder;
  process.keep_fds = {{input->get(), kRequestFd}, {output->get(), kAnswerFd}};
  auto child = Subprocess::start(process);
  if (!child) return failed(where + ": " + child.error().message);
  const double start_ms = monotonic_ms();
  std::optional<ExitStatus> status;
  std::optional<Error> given_up;
  while (!given_up && !(status = child->wait(kPollMs))) {
    if (is_withdrawn(request.id)) {
      given_up = Error{ErrorKind::failed, where + ": withdrawn"};
    } else if (monotonic_ms() - start_ms > options_.timeout_s * 1e3) {
      given_up = Error{ErrorKind::timed_out,
                       fmt::format("{}: no answer within {:g} s; it was killed",
                                   where, options_.timeout_s)};
    } else if (size_of(*output) > CommandOptions::kMaxAnswerBytes) {
      given_up = Error{ErrorKind::failed,
                       fmt::format("{}: it wrote more than {} MiB", where,
                                   CommandOptions::kMaxAnswerBytes >> 20)};
    }
  }
  if (!status) child->kill();
  {
    const std::lock_guard lock(mutex_);
    withdrawn_.erase(request.id);
  }
  if (given_up) return tl::unexpected<Error>(*std::move(given_up));
  if (!status->ok()) {
    return failed(
        fmt::format("{}: it ended with {} {}: {}", where,
                    status->signal != 0 ? "signal" : "exit code",
                    status->signal != 0 ? status->signal : status->code,
                    last_words(child->output())));
  }
  if (size_of(*output) > CommandOptions::kMaxAnswerBytes) {
    return failed(where + ": its answer is too long");
  }
  const auto answer = content_of(*output);
  if (!answer) return error_of(answer);
  if (answer->empty()) return absent(where + ": it wrote no answer");
  auto proposal = options_.reader(*answer, request);
  if (!proposal) return absent(where + ": " + proposal.error().message);
  return proposal;
}

void CommandProposer::withdraw(CandidateId id) {
  const std::lock_guard lock(mutex_);
  withdrawn_.insert(id);
}

bool CommandProposer::is_withdrawn(CandidateId id) {
  const std::lock_guard lock(mutex_);
  return withdrawn_.contains(id);
}

}  // namespace evoke
