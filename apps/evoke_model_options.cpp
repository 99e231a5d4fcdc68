#include "apps/evoke_model_options.h"

#include <algorithm>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"
#include "evoke/base/json.h"

namespace evoke::model {

void add_generate(CLI::App& app, Options& options) {
  GenerateRequest& request = options.request;
  auto& sampling = request.options.sampling;
  auto* command = app.add_subcommand("generate", "Continues a prompt");
  command
      ->add_option("--model,-m", request.model,
                   "A model folder, or a name in the hub's local cache")
      ->required();
  command->add_option("--prompt,-p", request.prompt,
                      "The user's message; - reads standard input");
  command->add_option("--system-prompt", request.system_prompt);
  command->add_option("--prompt-ids", options.prompt_ids_file,
                      "In place of a text: a file with a JSON list of tokens");
  command->add_flag("--ignore-chat-template", request.ignore_chat_template,
                    "The prompt as it is, not as a message");
  command->add_flag("--no-thinking", options.no_thinking,
                    "The answer begins with an empty think block");
  command
      ->add_option("--max-tokens,-n", request.options.max_tokens,
                   "At most so many")
      ->capture_default_str();
  command->add_flag("--ignore-eos", request.options.ignore_eos,
                    "Goes on to --max-tokens");
  command->add_option("--temp", sampling.temperature, "0: the likeliest token")
      ->capture_default_str();
  command->add_option("--top-p", sampling.top_p)->capture_default_str();
  command->add_option("--top-k", sampling.top_k, "0: all")
      ->capture_default_str();
  command->add_option("--min-p", sampling.min_p)->capture_default_str();
  command
      ->add_option("--repetition-penalty", sampling.repetition_penalty,
                   "1: none")
      ->capture_default_str();
  command
      ->add_option("--repetition-context-size", sampling.repetition_context,
                   "Tokens back that are penalized")
      ->capture_default_str();
  command->add_option("--seed", sampling.seed)->capture_default_str();
  command->add_option("--dtype", options.dtype,
                      "float32, float16 or bfloat16 (default: as stored)");
  command
      ->add_option("--prefill-step-size", request.options.prefill_step,
                   "Tokens of the prompt at a time (default: as the device "
                   "likes)")
      ->check(CLI::PositiveNumber);
  command->add_option("--kernel", options.kernel,
                      "A kernel file in the place of MLX's attention; it must "
                      "have passed the gate (evoke verify)");
  command->add_option("--warmup-tokens", request.warmup_tokens,
                      "The prompt and so many tokens first, uncounted");
  command->add_flag("--confine", options.confine,
                    "No files, network or programs once the model is loaded "
                    "(always with --kernel)");
  command->add_flag("--agreement", options.agreement,
                    "In place of the text: how far the kernel's logits are "
                    "from MLX's, at --max-tokens positions");
  command->add_flag("--json", options.json,
                    "One JSON document on standard output");
  command->footer(R"(
Examples:
  evoke generate --model DIR --prompt "Hello"
  evoke generate --model DIR --prompt "Hello" --kernel mine.cpp --json)");
}

void add_describe(CLI::App& app, Options& options) {
  auto* command = app.add_subcommand("describe", "What a model is");
  command->add_option("--model,-m", options.request.model, "A model folder")
      ->required();
  command->add_flag("--json", options.json, "The one form there is");
}

std::vector<int32_t> read_prompt_ids(const std::string& file) {
  const auto text = read_file(file);
  if (!text) throw UsageError(text.error().message);
  const Json json = Json::parse(*text, nullptr, false);
  const auto is_token = [](const Json& id) {
    return id.is_number_unsigned() && id <= INT32_MAX;
  };
  if (!json.is_array() || json.empty() ||
      !std::all_of(json.begin(), json.end(), is_token)) {
    throw UsageError(file + ": not a JSON list of tokens");
  }
  return json.get<std::vector<int32_t>>();
}

}  // namespace evoke::model
