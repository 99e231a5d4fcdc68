// Runs a language model on MLX. `evoke generate` starts it; by hand it takes
// the same options.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "apps/evoke_model_options.h"
#include "evoke/attention/problem.h"
#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/attestation.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/verified_kernel.h"
#include "evoke/evaluation/runner/confinement.h"
#include "evoke/model/attention_op.h"
#include "evoke/model/hook/open_hook.h"
#include "evoke/model/measure_agreement.h"
#include "evoke/model/model_config.h"
#include "evoke/model/model_folder.h"
#include "evoke/model/run_generate.h"

namespace {

using evoke::UsageError;
using evoke::model::GenerateRequest;
using evoke::model::Options;

// Without its weights: in no time.
int describe(const Options& options) {
  const auto folder = evoke::model::find_model_folder(options.request.model);
  if (!folder) throw evoke::StartupError(folder.error().message);
  const auto config = evoke::model::read_model_config(*folder);
  if (!config) throw evoke::StartupError(config.error().message);
  const evoke::Json json = {
      {"model", folder->string()},
      {"heads", evoke::heads_label(config->num_q_heads, config->num_kv_heads,
                                   config->head_dim)},
      {"num_layers", config->num_layers}};
  fmt::print("{}\n", json.dump(2));
  return 0;
}

// What the model asked of its attention, beside what the kernel did.
evoke::Attestation attest(const evoke::model::KernelHook* hook,
                          const evoke::model::GenerateReport& report) {
  evoke::Attestation attestation;
  if (hook != nullptr) attestation = hook->attestation();
  if (hook == nullptr) attestation.device = report.device;
  attestation.num_layers = report.num_layers;
  attestation.prompt.expected = report.prompt_attention_calls;
  attestation.decode.expected = report.decode_attention_calls;
  return attestation;
}

std::string described(const evoke::Attestation& attestation) {
  using evoke::AttentionPhase;
  std::string text = "Kernel: " + attestation.kernel_hash.substr(0, 8);
  for (const auto& [variant, count] : attestation.dispatches) {
    text += fmt::format(", {} x {}", variant, count);
  }
  text +=
      fmt::format(" of {} calls of attention\n",
                  attestation.prompt.expected + attestation.decode.expected);
  for (const AttentionPhase phase :
       {AttentionPhase::prompt, AttentionPhase::decode}) {
    const auto checked =
        check_attestation(attestation, attestation.kernel_hash, phase);
    if (!checked) text += "Kernel: " + checked.error().message + "\n";
  }
  return text;
}

// Whether the walls must leave room for a GPU's driver. A kernel decides by its
// dialect, so that native code never gets the wider ones; MLX is not asked,
// for it would start threads before the walls stand.
bool runs_on_gpu(const Options& options) {
  if (!options.kernel.empty()) {
    const auto kernel = evoke::KernelSource::read(options.kernel);
    if (!kernel) throw evoke::StartupError(kernel.error().message);
    return kernel->dialect() == evoke::Dialect::cuda;
  }
  return std::filesystem::exists("/dev/nvidiactl");
}

int generate(Options& options) {
  GenerateRequest& request = options.request;
  request.dtype = evoke::model::parse_dtype(options.dtype);
  request.enable_thinking = !options.no_thinking;
  if (!options.prompt_ids_file.empty()) {
    request.prompt_ids = evoke::model::read_prompt_ids(options.prompt_ids_file);
  }
  if (request.prompt == "-") {
    request.prompt = std::string(std::istreambuf_iterator<char>(std::cin), {});
  }
  // The wall stands before any thread does, and closes once all is loaded.
  std::optional<evoke::runner::Confinement> confinement;
  if (options.confine || !options.kernel.empty()) {
    const auto folder = evoke::model::find_model_folder(request.model);
    if (!folder) throw evoke::StartupError(folder.error().message);
    evoke::runner::ConfinementOptions walls;
    walls.readable = {folder->string(), evoke::default_verified_folder()};
    if (!options.kernel.empty()) walls.readable.push_back(options.kernel);
    walls.gpu = runs_on_gpu(options);
    confinement.emplace(walls);
    confinement->enter();
    request.loaded = [&] { confinement->seal(); };
  }
  std::unique_ptr<evoke::model::KernelHook> hook;
  auto attention = evoke::model::fast_attention();
  if (!options.kernel.empty()) {
    const auto problem = evoke::make_attention_problem();
    auto opened = evoke::model::open_kernel_hook(options.kernel, request.model,
                                                 problem->signature());
    if (!opened) throw evoke::StartupError(opened.error().message);
    hook = std::move(*opened);
    attention = hook->op();
  }
  const auto print = [](std::string_view text) {
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
  };
  if (options.agreement) {
    if (!hook) throw UsageError("--agreement needs --kernel");
    const auto agreement = evoke::model::measure_agreement(request, attention);
    return print(to_json(agreement).dump(2) + "\n") ? 0 : 1;
  }
  const auto report = evoke::model::run_generate(
      request, attention,
      [&](std::string_view text) { return options.json || print(text); });
  for (const std::string& warning : report.warnings) {
    std::fprintf(stderr, "evoke_model: warning: %s\n", warning.c_str());
  }
  const evoke::Attestation attestation = attest(hook.get(), report);
  if (options.json) {
    evoke::Json json = to_json(report);
    json["attestation"] = to_json(attestation);
    if (confinement) json["confinement"] = confinement->record();
    return print(json.dump(2) + "\n") ? 0 : 1;
  }
  if (!print("\n")) {
    throw evoke::StartupError("standard output cannot be written");
  }
  std::fprintf(stderr, "%s", summary(report).c_str());
  if (hook) std::fprintf(stderr, "%s", described(attestation).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Runs a language model on MLX for evoke.");
  app.name("evoke");  // whose commands these are
  app.require_subcommand(1);
  evoke::model::add_generate(app, options);
  evoke::model::add_describe(app, options);
  try {
    app.parse(argc, argv);
    if (app.got_subcommand("describe")) return describe(options);
    return generate(options);
  } catch (const CLI::Success& success) {  // --help
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "evoke_model: %s (--help lists what there is)\n",
                 error.what());
    return 2;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "evoke_model: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "evoke_model: %s\n", error.what());
    return 1;
  }
}
