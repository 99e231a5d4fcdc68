#include "tests/e2e/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace evoke::test {
namespace {

constexpr int64_t kTimeoutMs = 240'000;

constexpr const char* kWorkload = R"(name = "tiny"
[[shape]]
Lk = 96
[[shape]]
Lk = 200
)";
// What these tests look at does not depend on how steady the machine is.
constexpr const char* kConfig = R"(workload = "tiny.toml"
workers = 2
[timing]
search_pairs = 3
confirm_pairs = 12
block_ms = 0.2
rotation_bytes = 2000000
max_probe_change = 100
)";

}  // namespace

Desk::Desk() {
  write("tiny.toml", kWorkload);
  write("small.toml", kConfig);
}

void Desk::write(const std::string& name, const std::string& text) const {
  std::ofstream(file(name)) << text;
}

Subprocess Desk::start(const std::vector<std::string>& arguments,
                       const std::string& program,
                       const std::string& path) const {
  SubprocessOptions options;
  options.arguments = {program.empty() ? EVOKE_PROGRAM : program};
  options.arguments.insert(options.arguments.end(), arguments.begin(),
                           arguments.end());
  options.environment = {path, "HOME=" + folder(),
                         "XDG_CACHE_HOME=" + folder()};
  options.working_folder = folder();
  options.output_tail_bytes = 4 << 20;
  auto started = Subprocess::start(options);
  if (!started) throw std::runtime_error(started.error().message);
  return std::move(*started);
}

Ended Desk::run(const std::vector<std::string>& arguments) const {
  Subprocess process = start(arguments);
  const auto status = process.wait(kTimeoutMs);
  if (!status) {
    process.kill();
    ADD_FAILURE() << "did not end: " << process.output();
    return {};
  }
  return {status->code, status->signal, process.output()};
}

Json Desk::json(std::vector<std::string> arguments) const {
  arguments.push_back("--json");
  const Ended ended = run(arguments);
  EXPECT_EQ(ended.code, 0) << ended.output;
  // Warnings on standard error come first.
  const std::size_t begin =
      std::min(ended.output.find_first_of("{["), ended.output.size());
  Json json = Json::parse(ended.output.substr(begin), nullptr,
                          /*allow_exceptions=*/false);
  EXPECT_FALSE(json.is_discarded()) << ended.output;
  return json;
}

bool Desk::wait_for_steps(const std::string& run, int64_t steps) const {
  for (int i = 0; i < 1200; ++i) {
    const Ended ended = this->run({"status", run, "--json"});
    const Json json = Json::parse(ended.output, nullptr, false);
    if (ended.code == 0 && json.value("steps", int64_t{0}) >= steps) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

std::vector<std::string> Desk::small_search(const std::string& run,
                                            int iterations) const {
  return {"evolve",
          "--config",
          "small.toml",
          "--iterations",
          std::to_string(iterations),
          "--time-budget",
          "0",
          "-o",
          run};
}

}  // namespace evoke::test
