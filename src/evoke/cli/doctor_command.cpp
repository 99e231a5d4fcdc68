#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "evoke/cli/commands.h"
#include "evoke/cli/machine.h"
#include "evoke/devices/registry.h"
#include "evoke/evaluation/judge/compile_cache.h"
#include "evoke/evaluation/judge/runner_pool.h"

namespace evoke::cli {
namespace {

// One thing that works or does not, and what to do about it.
struct Finding {
  std::string topic;
  bool good = false;
  std::string text;
};

constexpr const char* kBaselines[] = {"mlx", "onednn", "openvino"};

// A process that drives the clock can hold it still; here the judge can only
// notice that it moved.
Finding about_clock() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  std::string governor;
  if (file >> governor) {
    return {"clock", governor == "performance",
            "governor " + governor +
                (governor == "performance"
                     ? ""
                     : "; 'performance' would make times steadier")};
  }
  return {"clock", true,
          "not controllable here; drift is watched by a probe and paired away"};
}

Finding about_disk() {
  std::error_code error;
  const auto space = std::filesystem::space(".", error);
  const double gib = static_cast<double>(space.available) / (1 << 30);
  return {"disk", !error && gib > 1,
          fmt::format("{:.1f} GiB free in this folder", gib)};
}

std::vector<Finding> about_runners(const Context& context) {
  std::vector<Finding> findings;
  if (!std::filesystem::exists(context.runner_path())) {
    return {{"runner", false,
             context.runner_path() +
                 " is missing; build the target 'programs' (./evoke does)"}};
  }
  judge::RunnerPoolOptions options;
  options.program = context.runner_path();
  judge::RunnerPool pool(options);
  const auto greet = [&](protocol::Role role, const std::string& baseline) {
    judge::RunnerSpec spec;
    spec.role = role;
    spec.baseline = baseline;
    if (role == protocol::Role::compile) {
      spec.private_folder = std::filesystem::temp_directory_path().string();
    }
    return pool.take(spec);
  };
  if (const auto compile = greet(protocol::Role::compile, ""); compile) {
    const std::string id = (*compile)->greeting().compiler_id;
    findings.push_back({"compiler", true, id.substr(0, id.find("; -std"))});
  } else {
    findings.push_back({"compiler", false, compile.error().message});
  }
  if (const auto execute = greet(protocol::Role::execute, ""); execute) {
    std::string walls;
    for (const auto& [wall, state] :
         (*execute)->greeting().confinement.items()) {
      walls += (walls.empty() ? "" : ", ") + wall + " " + state.dump();
    }
    findings.push_back({"confinement", true, walls});
  } else {
    findings.push_back({"confinement", false, execute.error().message});
  }
  for (const char* name : kBaselines) {
    const auto baseline = greet(protocol::Role::baseline, name);
    findings.push_back({std::string("baseline ") + name, baseline.has_value(),
                        baseline ? (*baseline)->greeting().baseline_version
                                 : baseline.error().message});
  }
  return findings;
}

Finding about_compile_cache() {
  const auto opened = judge::CompileCache::open({});
  if (!opened) return {"compile cache", false, opened.error().message};
  return {"compile cache", true,
          fmt::format("{}, {:.0f} MiB of at most {} MiB", opened->folder(),
                      static_cast<double>(opened->total_bytes()) / (1 << 20),
                      judge::CompileCacheOptions{}.max_bytes >> 20)};
}

int doctor(const Context& context) {
  std::vector<Finding> findings = {{"machine", true, describe_machine()},
                                   about_clock(),
                                   about_disk(),
                                   about_compile_cache()};
  for (const DeviceStatus& device : probe_devices()) {
    findings.push_back(
        {"device " + device.kind, device.available, device.description});
    for (const DeviceMember& member : device.members) {
      findings.push_back(
          {"device " + member.name, device.available, member.description});
    }
  }
  for (Finding& finding : about_runners(context)) {
    findings.push_back(std::move(finding));
  }
  if (context.json) {
    Json json = Json::array();
    for (const Finding& finding : findings) {
      json.push_back({{"topic", finding.topic},
                      {"good", finding.good},
                      {"text", finding.text}});
    }
    std::puts(json.dump(2).c_str());
  } else {
    for (const Finding& finding : findings) {
      fmt::print("{} {:<18} {}\n",
                 finding.good ? green(context, "ok") : red(context, "--"),
                 finding.topic, finding.text);
    }
  }
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context, Command& chosen) {
  auto* command = app.add_subcommand(
      "doctor", "What this machine can do, what is missing and how to get it");
  command->footer("\nExamples:\n  evoke doctor\n  evoke doctor --json");
  command->callback(
      [&context, &chosen] { chosen = [&context] { return doctor(context); }; });
}

}  // namespace evoke::cli
