#include "evoke/model/run_generate.h"

#include <fmt/format.h>
#include <mlx/device.h>
#include <mlx/memory.h>
#include <mlx/version.h>
#include <sys/resource.h>

#include <exception>
#include <utility>

#include "evoke/base/clock.h"
#include "evoke/base/error.h"
#include "evoke/base/utf8.h"
#include "evoke/model/cpu_products.h"
#include "evoke/model/model_folder.h"
#include "evoke/model/tokenizer/chat_template.h"
#include "evoke/model/tokenizer/streaming_decoder.h"

namespace evoke::model {
namespace {

namespace mx = mlx::core;

template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw StartupError(result.error().message);
  return std::move(*result);
}

std::string name_of(mx::Dtype dtype) {
  if (dtype == mx::float32) return "float32";
  return dtype == mx::float16 ? "float16" : "bfloat16";
}

int64_t peak_resident_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
#endif
}

// Models that name no end token anywhere end where their tokenizer's config
// says.
std::vector<int32_t> end_tokens(const Qwen3& model,
                                const Tokenizer& tokenizer) {
  std::vector<int32_t> ids = model.config().eos_ids;
  if (ids.empty() && tokenizer.eos_id()) ids.push_back(*tokenizer.eos_id());
  return ids;
}

void check(const GenerateRequest& request) {
  const bool has_text =
      !request.prompt.empty() || !request.system_prompt.empty();
  if (has_text != request.prompt_ids.empty()) {
    throw UsageError(has_text
                         ? "a prompt is given as text or as tokens, not both"
                         : "the prompt is empty; --prompt TEXT gives one");
  }
  if (request.ignore_chat_template && !request.system_prompt.empty()) {
    throw UsageError("--system-prompt has no place without the chat template");
  }
}

}  // namespace

std::vector<int32_t> encode_prompt(const GenerateRequest& request,
                                   const Tokenizer& tokenizer,
                                   std::vector<std::string>& warnings) {
  if (!request.prompt_ids.empty()) return request.prompt_ids;
  std::string text = request.prompt;
  if (!request.ignore_chat_template && tokenizer.chat_template().empty()) {
    warnings.emplace_back(
        "the model has no chat template: the prompt is used as it is");
  } else if (!request.ignore_chat_template) {
    if (!is_qwen3_template(tokenizer.chat_template())) {
      warnings.emplace_back(
          "the model's chat template is not Qwen3's, which is used instead; "
          "--ignore-chat-template uses the prompt as it is");
    }
    std::vector<ChatMessage> messages;
    if (!request.system_prompt.empty()) {
      messages.push_back({"system", request.system_prompt});
    }
    messages.push_back({"user", request.prompt});
    text = value_or_throw(
        render_chat(messages, {.add_generation_prompt = true,
                               .enable_thinking = request.enable_thinking}));
  }
  return value_or_throw(tokenizer.encode(text));
}

GenerateReport run_generate(const GenerateRequest& request,
                            AttentionOp attention, const TextSink& sink) {
  check(request);
  GenerateReport report;
  const double start_ms = monotonic_ms();
  const auto folder = value_or_throw(find_model_folder(request.model));
  report.model_folder = folder.string();
  // The cheaper one first: a fault in either is found before the long wait.
  const Tokenizer tokenizer = value_or_throw(Tokenizer::load(folder));
  const Qwen3 model =
      value_or_throw(Qwen3::load(folder, request.dtype, std::move(attention)));
  report.load_ms = monotonic_ms() - start_ms;
  report.weight_bytes = static_cast<int64_t>(model.weight_bytes());
  report.dtype = name_of(model.dtype());
  report.device = mx::default_device() == mx::Device::gpu ? "gpu" : "cpu";
  report.blas = blas_file();
  const std::vector<int32_t> prompt =
      encode_prompt(request, tokenizer, report.warnings);
  GenerateOptions options = request.options;
  options.eos_ids = end_tokens(model, tokenizer);
  const Qwen3Config& config = model.config();
  report.num_layers = config.num_layers;
  report.kv_bytes_per_token = int64_t{2} * config.num_layers *
                              config.num_kv_heads * config.head_dim *
                              static_cast<int64_t>(size_of(model.dtype()));
  if (request.loaded) request.loaded();
  const auto run = [&](const GenerateOptions& chosen, KvCache& kv_cache,
                       const TokenSink& tokens) {
    const Generation done = generate(model, kv_cache, prompt, chosen, tokens);
    report.decode_attention_calls += done.decode_attention_calls;
    report.prompt_attention_calls +=
        done.attention_calls - done.decode_attention_calls;
    return done;
  };
  StreamingDecoder decoder(tokenizer);
  const auto deliver = [&](const std::string& piece) {
    report.text += piece;
    return piece.empty() || sink(piece);
  };
  KvCache kv_cache = model.make_kv_cache();
  try {
    if (request.warmup_tokens > 0) {
      GenerateOptions warmup = options;
      warmup.max_tokens = request.warmup_tokens;
      warmup.ignore_eos = true;
      KvCache other = model.make_kv_cache();
      run(warmup, other, [](int32_t) { return true; });
    }
    report.generation = run(options, kv_cache, [&](int32_t id) {
      return deliver(decoder.add(id));
    });
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    throw StartupError("MLX: " + one_line(error.what()));
  }
  deliver(decoder.finish());
  report.kv_cache_bytes = static_cast<int64_t>(kv_cache.bytes());
  report.peak_memory_bytes = static_cast<int64_t>(mx::get_peak_memory());
  report.peak_resident_bytes = peak_resident_bytes();
  return report;
}

Json to_json(const GenerateReport& report) {
  const Generation& generation = report.generation;
  const char* reason = "length";
  if (generation.finish_reason == FinishReason::stop) reason = "stop";
  if (generation.finish_reason == FinishReason::canceled) reason = "canceled";
  return {{"model", report.model_folder},
          {"dtype", report.dtype},
          {"device", report.device},
          {"blas", report.blas},
          {"mlx", mx::version()},
          {"text", report.text},
          {"tokens", generation.tokens},
          {"finish_reason", reason},
          {"warnings", report.warnings},
          {"load_ms", report.load_ms},
          {"prompt_tokens", generation.prompt_tokens},
          {"prompt_ms", generation.prompt_ms},
          {"prompt_tokens_per_s", generation.prompt_tokens_per_s()},
          {"generation_tokens", generation.tokens.size()},
          {"generation_ms", generation.generation_ms},
          {"generation_tokens_per_s", generation.generation_tokens_per_s()},
          {"steps", generation.steps},
          {"attention_calls", generation.attention_calls},
          {"num_layers", report.num_layers},
          {"kv_bytes_per_token", report.kv_bytes_per_token},
          {"weight_bytes", report.weight_bytes},
          {"kv_cache_bytes", report.kv_cache_bytes},
          {"peak_memory_bytes", report.peak_memory_bytes},
          {"peak_resident_bytes", report.peak_resident_bytes}};
}

std::string summary(const GenerateReport& report) {
  const Generation& generation = report.generation;
  return fmt::format(
      "Prompt: {} tokens, {:.3f} tokens-per-sec\n"
      "Generation: {} tokens, {:.3f} tokens-per-sec\n"
      "Peak memory: {:.3f} GB\n",
      generation.prompt_tokens, generation.prompt_tokens_per_s(),
      generation.tokens.size(), generation.generation_tokens_per_s(),
      static_cast<double>(report.peak_memory_bytes) / 1e9);
}

std::optional<mx::Dtype> parse_dtype(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (name == "float32") return mx::float32;
  if (name == "float16") return mx::float16;
  if (name == "bfloat16") return mx::bfloat16;
  throw UsageError("'" + one_line(name, 40) +
                   "' is no --dtype; there are float32, float16, bfloat16");
}

}  // namespace evoke::model
