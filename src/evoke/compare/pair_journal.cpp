#include "evoke/compare/pair_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace evoke::compare {
namespace {

constexpr const char* kFormat = "evoke compare 1";

tl::unexpected<Error> system_error(const std::string& what) {
  return failed(what + ": " + std::strerror(errno));
}

}  // namespace

Result<PairJournal> PairJournal::open(const std::string& folder,
                                      const Json& identity) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return failed("cannot make " + folder + ": " + error.message());
  const std::string path = folder + "/pairs.jsonl";
  std::string text;
  if (auto read = read_file(path)) {
    text = std::move(*read);
  } else if (read.error().kind != ErrorKind::absent) {
    return error_of(read);
  }
  text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  PairJournal journal;
  if (auto done = journal.read(text, identity, path); !done) {
    return error_of(done);
  }
  journal.fd_ =
      Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!journal.fd_.valid()) return system_error("cannot write " + path);
  if (::ftruncate(journal.fd_.get(), static_cast<off_t>(text.size())) != 0) {
    return system_error("cannot write " + path);
  }
  if (text.empty()) {
    const auto begun =
        journal.append({{"format", kFormat}, {"identity", identity}});
    if (!begun) return error_of(begun);
  }
  return journal;
}

Result<void> PairJournal::read(const std::string& text, const Json& identity,
                               const std::string& path) {
  std::size_t begin = 0;
  for (int number = 1; begin < text.size(); ++number) {
    const std::size_t end = text.find('\n', begin);
    const Json line =
        Json::parse(text.substr(begin, end - begin), nullptr, false);
    begin = end + 1;
    const std::string where = path + ":" + std::to_string(number) + ": ";
    if (!line.is_object()) return failed(where + "no JSON; is it damaged?");
    if (number == 1) {
      if (line.value("format", "") != kFormat) {
        return failed(where + "not made by this version of evoke compare");
      }
      if (line.value("identity", Json()) == identity) continue;
      return failed(path +
                    " belongs to another comparison (model, kernel, scenarios, "
                    "lengths or machine differ); choose another --output-dir");
    }
    if (line.contains("agreement")) {
      agreements_[line.value("scenario", "")] = line["agreement"];
      continue;
    }
    auto pair = pair_from_json(line);
    if (!pair) return failed(where + pair.error().message);
    pairs_.push_back(std::move(*pair));
  }
  return {};
}

Result<void> PairJournal::append(const Json& line) {
  const std::string text = line.dump() + "\n";
  if (auto written = write_all(fd_.get(), std::as_bytes(std::span(text)));
      !written) {
    return written;
  }
  if (::fsync(fd_.get()) != 0) return system_error("cannot sync pairs.jsonl");
  return {};
}

Result<void> PairJournal::add(const RunPair& pair) {
  if (auto written = append(to_json(pair)); !written) return written;
  pairs_.push_back(pair);
  return {};
}

Result<void> PairJournal::add_agreement(const std::string& scenario,
                                        const Json& json) {
  if (auto written = append({{"scenario", scenario}, {"agreement", json}});
      !written) {
    return written;
  }
  agreements_[scenario] = json;
  return {};
}

}  // namespace evoke::compare
