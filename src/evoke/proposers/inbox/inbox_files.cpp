#include "evoke/proposers/inbox/inbox_files.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

#include "evoke/base/atomic_file.h"
#include "evoke/base/clock.h"
#include "evoke/base/fd.h"
#include "evoke/base/hash.h"
#include "evoke/base/utf8.h"
#include "evoke/proposers/request_json.h"

namespace evoke::inbox {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTask = ".json";
constexpr const char* kAnswer = ".answer.json";
constexpr const char* kSubmission = ".submit.json";
constexpr const char* kReceipt = ".receipt.json";

// Numbers by their value, before other names.
bool before(const std::string& a, const std::string& b) {
  const auto number = [](const std::string& text) {
    int64_t value = -1;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    return read.ec == std::errc() && read.ptr == end ? value : int64_t{-1};
  };
  const int64_t first = number(a);
  const int64_t second = number(b);
  if ((first >= 0) != (second >= 0)) return first >= 0;
  return first != second ? first < second : a < b;
}

std::string dump(const Json& json) { return dump_json(json, 2) + "\n"; }

Json answer_json(const Answer& answer, const std::string& name) {
  return {{"id", name},
          {"key", answer.key},
          {"answer", to_valid_utf8(answer.text)},
          {"summary", to_valid_utf8(answer.summary)}};
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::refused:
      return "refused";
    case State::judging:
      return "judging";
    case State::judged:
      break;
  }
  return "judged";
}

Task make_task(const ProposalRequest& request, const Json& facts,
               std::string prompt) {
  Task task;
  task.id = request.id;
  task.created = utc_now();
  task.prompt = std::move(prompt);
  const auto& failed = request.failed;
  task.key =
      hash_hex(request.parent.candidate.genome_hash + "/" + request.operation +
               "/" + (failed ? failed->candidate.genome_hash : ""));
  task.request = evoke::to_json(request, facts);
  return task;
}

ProposalRequest request_of(const Task& task) {
  ProposalRequest request;
  request.id = task.id;
  request.operation = task.request.value("operation", "");
  const Json& parent = task.request.at("parent");
  request.parent.candidate.id = parent.at("id").get<CandidateId>();
  request.parent.candidate.text = parent.at("text").get<std::string>();
  if (const Json& failed = task.request.at("failed"); failed.is_object()) {
    request.failed.emplace();
    request.failed->candidate.id = failed.at("id").get<CandidateId>();
    request.failed->candidate.text = failed.at("text").get<std::string>();
  }
  return request;
}

Json to_json(const Receipt& receipt) {
  Json json = {{"state", to_string(receipt.state)},
               {"candidate", receipt.candidate},
               {"message", to_valid_utf8(receipt.message)},
               {"kind", nullptr},
               {"fitness", nullptr}};
  if (receipt.kind) json["kind"] = to_string(*receipt.kind);
  if (receipt.fitness) {
    json["fitness"] = {{"value", receipt.fitness->value},
                       {"low", receipt.fitness->low},
                       {"high", receipt.fitness->high}};
  }
  return json;
}

Result<void> Files::make_folder() const {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) return failed(folder_ + ": " + error.message());
  return {};
}

Result<void> Files::write(const Task& task) const {
  const std::string name = std::to_string(task.id);
  const Json message = {{"role", "user"},
                        {"content", to_valid_utf8(task.prompt)}};
  return write_file_atomically(
      path(name, kTask),
      dump({{"id", name},
            {"created_at", task.created},
            {"model", nullptr},
            {"display_prompt", to_valid_utf8(task.prompt)},
            {"messages", Json::array({message})},
            {"meta", {{"key", task.key}, {"request", task.request}}}}));
}

Result<void> Files::write_answer(const std::string& name,
                                 const Answer& answer) const {
  return write_file_atomically(path(name, kAnswer),
                               dump(answer_json(answer, name)));
}

Result<void> Files::write_submission(const std::string& name,
                                     const Answer& answer) const {
  return write_file_atomically(path(name, kSubmission),
                               dump(answer_json(answer, name)));
}

Result<void> Files::write(const std::string& name,
                          const Receipt& receipt) const {
  return write_file_atomically(path(name, kReceipt), dump(to_json(receipt)));
}

Result<Json> Files::read(const std::string& name, const char* suffix) const {
  const std::string file = path(name, suffix);
  const auto text = read_file(file);
  if (!text) return error_of(text);
  Json json = Json::parse(*text, nullptr, false);
  if (json.is_object()) return json;
  return failed(file + ": not a JSON object");
}

Result<Task> Files::task(const std::string& name) const {
  const auto json = read(name, kTask);
  if (!json) return error_of(json);
  try {
    Task task;
    const Json& meta = json->at("meta");
    task.request = meta.at("request");
    task.id = task.request.at("id").get<CandidateId>();
    task.created = json->at("created_at").get<std::string>();
    task.prompt = json->at("display_prompt").get<std::string>();
    task.key = meta.at("key").get<std::string>();
    request_of(task);  // throws when it is not one
    return task;
  } catch (const Json::exception& error) {
    return failed(path(name, kTask) + ": " + error.what());
  }
}

Result<Answer> Files::read_answer(const std::string& name,
                                  const char* suffix) const {
  const auto json = read(name, suffix);
  if (!json) return error_of(json);
  try {
    Answer answer;
    answer.text = json->at("answer").get<std::string>();
    answer.key = json->value("key", "");
    answer.summary = json->value("summary", "");
    return answer;
  } catch (const Json::exception& error) {
    return failed(path(name, suffix) + ": " + error.what());
  }
}

Result<Answer> Files::answer(const std::string& name) const {
  return read_answer(name, kAnswer);
}
Result<Answer> Files::submission(const std::string& name) const {
  return read_answer(name, kSubmission);
}

Result<Receipt> Files::receipt(const std::string& name) const {
  const auto json = read(name, kReceipt);
  if (!json) return error_of(json);
  try {
    Receipt receipt;
    const auto state = json->at("state").get<std::string>();
    receipt.state = state == "refused"   ? State::refused
                    : state == "judging" ? State::judging
                                         : State::judged;
    json->at("candidate").get_to(receipt.candidate);
    json->at("message").get_to(receipt.message);
    if (const Json& kind = json->at("kind"); kind.is_string()) {
      const auto known = parse_outcome_kind(kind.get<std::string>());
      if (!known) return error_of(known);
      receipt.kind = *known;
    }
    if (const Json& fitness = json->at("fitness"); fitness.is_object()) {
      receipt.fitness = Fitness{fitness.at("value").get<double>(),
                                fitness.at("low").get<double>(),
                                fitness.at("high").get<double>()};
    }
    return receipt;
  } catch (const Json::exception& error) {
    return failed(path(name, kReceipt) + ": " + error.what());
  }
}

std::vector<std::string> Files::names(const char* suffix) const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(suffix)) continue;
    std::string name = file.substr(0, file.size() - std::strlen(suffix));
    // A task's suffix ends the other ones', too.
    if (name.find('.') == std::string::npos) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end(), before);
  return names;
}

std::vector<std::string> Files::tasks() const { return names(kTask); }
std::vector<std::string> Files::answers() const { return names(kAnswer); }
std::vector<std::string> Files::submissions() const {
  return names(kSubmission);
}
std::vector<std::string> Files::receipts() const { return names(kReceipt); }

void Files::remove_task(const std::string& name) const {
  std::error_code ignored;
  fs::remove(path(name, kTask), ignored);
}
void Files::remove_answer(const std::string& name) const {
  std::error_code ignored;
  fs::remove(path(name, kAnswer), ignored);
}
void Files::remove_submission(const std::string& name) const {
  std::error_code ignored;
  fs::remove(path(name, kSubmission), ignored);
}
void Files::remove_receipt(const std::string& name) const {
  std::error_code ignored;
  fs::remove(path(name, kReceipt), ignored);
}

}  // namespace evoke::inbox
