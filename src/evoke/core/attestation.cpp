#include "evoke/core/attestation.h"

#include <fmt/format.h>

#include <numeric>

namespace evoke {
namespace {

Json to_json(const AttentionCounts& counts) {
  return {{"expected", counts.expected},
          {"dispatched", counts.dispatched},
          {"fallen_back", counts.fallen_back}};
}

AttentionCounts counts_from_json(const Json& json) {
  return {json.at("expected").get<int64_t>(),
          json.at("dispatched").get<int64_t>(),
          json.at("fallen_back").get<int64_t>()};
}

}  // namespace

Json to_json(const Attestation& attestation) {
  Json fallbacks = Json::array();
  for (const Attestation::Fallback& each : attestation.fallbacks) {
    fallbacks.push_back({{"shape", each.shape},
                         {"reason", each.reason},
                         {"count", each.count}});
  }
  return {{"kernel_hash", attestation.kernel_hash},
          {"device", attestation.device},
          {"num_layers", attestation.num_layers},
          {"prompt", to_json(attestation.prompt)},
          {"decode", to_json(attestation.decode)},
          {"dispatches", attestation.dispatches},
          {"fallbacks", fallbacks},
          {"copies", attestation.copies}};
}

Result<Attestation> attestation_from_json(const Json& json) {
  try {
    Attestation attestation;
    attestation.kernel_hash = json.at("kernel_hash").get<std::string>();
    attestation.device = json.at("device").get<std::string>();
    attestation.num_layers = json.at("num_layers").get<int64_t>();
    attestation.prompt = counts_from_json(json.at("prompt"));
    attestation.decode = counts_from_json(json.at("decode"));
    attestation.dispatches =
        json.at("dispatches").get<std::map<std::string, int64_t>>();
    for (const Json& each : json.at("fallbacks")) {
      attestation.fallbacks.push_back({each.at("shape").get<std::string>(),
                                       each.at("reason").get<std::string>(),
                                       each.at("count").get<int64_t>()});
    }
    attestation.copies = json.at("copies").get<int64_t>();
    return attestation;
  } catch (const Json::exception& error) {
    return failed(std::string("an attestation that is none: ") + error.what());
  }
}

Result<void> check_attestation(const Attestation& attestation,
                               const std::string& kernel_hash,
                               AttentionPhase phase) {
  if (attestation.kernel_hash != kernel_hash) {
    const auto named = [](const std::string& hash) {
      return hash.empty() ? std::string("no kernel") : hash.substr(0, 8);
    };
    return failed(fmt::format("ran {}, not {}", named(attestation.kernel_hash),
                              named(kernel_hash)));
  }
  const int64_t by_variant = std::accumulate(
      attestation.dispatches.begin(), attestation.dispatches.end(), int64_t{0},
      [](int64_t sum, const auto& each) { return sum + each.second; });
  if (by_variant !=
      attestation.prompt.dispatched + attestation.decode.dispatched) {
    return failed(fmt::format(
        "{} dispatches by variant, {} by phase", by_variant,
        attestation.prompt.dispatched + attestation.decode.dispatched));
  }
  const bool of_prompt = phase == AttentionPhase::prompt;
  const AttentionCounts& counts =
      of_prompt ? attestation.prompt : attestation.decode;
  const char* name = of_prompt ? "prompt" : "decode";
  if (kernel_hash.empty()) {
    if (counts.dispatched == 0) return {};
    return failed(fmt::format("{}: {} calls by a kernel; there should be none",
                              name, counts.dispatched));
  }
  if (counts.fallen_back > 0) {
    std::string why;
    for (const Attestation::Fallback& each : attestation.fallbacks) {
      why += fmt::format("{}{} x ({}: {})", why.empty() ? "" : "; ", each.count,
                         each.shape, each.reason);
    }
    return failed(fmt::format("{}: {} of {} calls fell back: {}", name,
                              counts.fallen_back, counts.expected, why));
  }
  if (counts.dispatched != counts.expected) {
    return failed(
        fmt::format("{}: the kernel ran {} times, the model asked {} times",
                    name, counts.dispatched, counts.expected));
  }
  if (counts.expected == 0) {
    return failed(fmt::format("{}: no call at all", name));
  }
  return {};
}

}  // namespace evoke
