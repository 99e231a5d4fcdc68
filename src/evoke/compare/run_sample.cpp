#include "evoke/compare/run_sample.h"

#include <utility>

namespace evoke::compare {

Result<RunSample> sample_from_json(const Json& json) {
  RunSample sample;
  try {
    sample.dtype = json.at("dtype").get<std::string>();
    sample.prompt_tokens = json.at("prompt_tokens").get<int64_t>();
    sample.prompt_tokens_per_s = json.at("prompt_tokens_per_s").get<double>();
    sample.generation_tokens_per_s =
        json.at("generation_tokens_per_s").get<double>();
    sample.peak_memory_bytes = json.at("peak_memory_bytes").get<int64_t>();
    sample.weight_bytes = json.at("weight_bytes").get<int64_t>();
    sample.kv_bytes_per_token = json.at("kv_bytes_per_token").get<int64_t>();
    sample.tokens = json.at("tokens").get<std::vector<int32_t>>();
    auto attestation = attestation_from_json(json.at("attestation"));
    if (!attestation) return error_of(attestation);
    sample.attestation = std::move(*attestation);
  } catch (const Json::exception& error) {
    return failed(std::string("a report of evoke_model that is none: ") +
                  error.what());
  }
  return sample;
}

Json to_json(const RunSample& sample) {
  return {{"dtype", sample.dtype},
          {"prompt_tokens", sample.prompt_tokens},
          {"prompt_tokens_per_s", sample.prompt_tokens_per_s},
          {"generation_tokens_per_s", sample.generation_tokens_per_s},
          {"peak_memory_bytes", sample.peak_memory_bytes},
          {"weight_bytes", sample.weight_bytes},
          {"kv_bytes_per_token", sample.kv_bytes_per_token},
          {"tokens", sample.tokens},
          {"attestation", to_json(sample.attestation)}};
}

Result<RunPair> pair_from_json(const Json& json) {
  RunPair pair;
  try {
    pair.scenario = json.at("scenario").get<std::string>();
    pair.index = json.at("index").get<int>();
    pair.kernel_first = json.at("kernel_first").get<bool>();
    auto baseline = sample_from_json(json.at("baseline"));
    if (!baseline) return error_of(baseline);
    pair.baseline = std::move(*baseline);
    if (json.contains("kernel")) {
      auto kernel = sample_from_json(json.at("kernel"));
      if (!kernel) return error_of(kernel);
      pair.kernel = std::move(*kernel);
    }
  } catch (const Json::exception& error) {
    return failed(std::string("a pair that is none: ") + error.what());
  }
  return pair;
}

Json to_json(const RunPair& pair) {
  Json json = {{"scenario", pair.scenario},
               {"index", pair.index},
               {"kernel_first", pair.kernel_first},
               {"baseline", to_json(pair.baseline)}};
  if (pair.kernel) json["kernel"] = to_json(*pair.kernel);
  return json;
}

}  // namespace evoke::compare
